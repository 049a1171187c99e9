// What every page has: words for the time in which the explorer does not answer. Streamlit looks for
// it by itself; once it is there, this asks for the page, and what was asked before would be lost.

const GONE = "The explorer has stopped answering. Start it again with “make explorer”; this page " +
  "then comes back by itself, as it was.";
const STATES = ["data-test-connection-state", "data-test-script-state"];
const ACTS = ["click", "submit", "keydown"];
let timer, isAsked = false, isAnswering = false;

const fetchEarly = (address) => { // what fails is asked for again by who needs it
  if (!address || document.querySelector(`script[src="${address}"]`)) return;
  const script = Object.assign(document.createElement("script"), { src: address });
  script.onerror = () => script.remove();
  document.head.append(script);
};

export default function ({ data }) {
  fetchEarly(data.script);
  const app = document.querySelector('[data-testid="stApp"]');
  document.documentElement.lang = "en";
  const gone = document.querySelector(".gone") ?? document.createElement("p");
  gone.className = "gone";
  gone.setAttribute("role", "alert");
  document.body.append(gone);
  const tell = () => {
    clearTimeout(timer);
    const [connection, script] = STATES.map((name) => app.getAttribute(name));
    document.body.classList.toggle("without-server", connection !== "CONNECTED");
    if (connection !== "CONNECTED") {
      isAsked = isAnswering = false;
      timer = setTimeout(() => { gone.textContent = GONE; }, 1500);
    } else if (!gone.textContent) return;
    else if (!isAsked) {
      isAsked = true;
      dispatchEvent(new PopStateEvent("popstate")); // tells a server that has begun anew the address
    } else if (script === "running") isAnswering = true;
    else if (isAnswering) gone.textContent = "";
  };
  const hold = (event) => {
    if (!gone.textContent || event.type === "keydown" && event.key !== "Enter") return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  for (const type of ACTS) document.addEventListener(type, hold, true);
  const watch = new MutationObserver(tell);
  watch.observe(app, { attributes: true, attributeFilter: STATES });
  tell();
  return () => {
    watch.disconnect();
    for (const type of ACTS) document.removeEventListener(type, hold, true);
  };
}
