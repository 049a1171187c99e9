// What every page has: words for the time in which the explorer does not answer. Streamlit asks again
// by itself and draws the page anew.

const GONE = "The explorer has stopped answering. Start it again with “make explorer”; this page " +
  "then comes back by itself, as it was.";

export default function () {
  const app = document.querySelector('[data-testid="stApp"]');
  document.documentElement.lang = "en";
  const gone = document.querySelector(".gone") ?? document.createElement("p");
  gone.className = "gone";
  gone.setAttribute("role", "alert");
  document.body.append(gone);
  let timer;
  const tell = () => {
    clearTimeout(timer);
    const there = app.dataset.testConnectionState === "CONNECTED";
    if (there && gone.textContent) // a server that has begun anew is told the address before all acts
      dispatchEvent(new PopStateEvent("popstate"));
    if (there) gone.textContent = "";
    else timer = setTimeout(() => { gone.textContent = GONE; }, 1500);
    document.body.classList.toggle("without-server", !there);
  };
  const watch = new MutationObserver(tell);
  watch.observe(app, { attributes: true, attributeFilter: ["data-test-connection-state"] });
  tell();
  return () => watch.disconnect();
}
