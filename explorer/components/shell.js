// What every page has: the way past the sidebar for those who use keys, and words for the time in
// which the explorer does not answer. Streamlit asks again by itself and draws the page anew.

const GONE = "The explorer has stopped answering. Start it again with “make explorer”; this page " +
  "then comes back by itself, as it was.";

export default function () {
  const app = document.querySelector('[data-testid="stApp"]');
  document.documentElement.lang = "en";
  if (!document.querySelector(".skip")) {
    const skip = document.createElement("a");
    skip.className = "skip";
    skip.textContent = "Skip to the pictures";
    skip.href = "#";
    skip.onclick = (event) => {
      event.preventDefault();
      const main = document.querySelector('[data-testid="stMain"]');
      main.tabIndex = -1;
      main.focus();
    };
    document.body.prepend(skip);
  }
  const gone = document.querySelector(".gone") ?? document.createElement("p");
  gone.className = "gone";
  gone.setAttribute("role", "alert");
  document.body.append(gone);
  let timer;
  const tell = () => {
    clearTimeout(timer);
    const there = app.dataset.testConnectionState === "CONNECTED";
    if (there) gone.textContent = "";
    else timer = setTimeout(() => { gone.textContent = GONE; }, 1500);
    document.body.classList.toggle("without-server", !there);
  };
  const watch = new MutationObserver(tell);
  watch.observe(app, { attributes: true, attributeFilter: ["data-test-connection-state"] });
  tell();
  return () => watch.disconnect();
}
