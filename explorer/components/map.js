// What Streamlit leaves out of a Plotly chart: a click opens the picture while the tool is the
// lasso, and on a screen that is touched a swipe scrolls the page until the lasso is turned on.

const LAYER = ".nsewdrag";

export default function ({ parentElement }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "lasso";
  const turn = (on) => {
    button.ariaPressed = on;
    button.textContent = on ? "Lasso is on: draw around points" : "Turn the lasso on";
    document.body.classList.toggle("with-lasso", on);
  };
  button.onclick = () => turn(button.ariaPressed !== "true");
  turn(false);
  parentElement.append(button);

  const onTouch = (event) => { // Plotly would hold the page still
    if (button.ariaPressed !== "true" && event.target.closest(LAYER)) event.stopPropagation();
  };
  const onClick = ({ points }) => {
    const id = [points?.[0]?.customdata].flat()[0];
    if (!id) return;
    const search = new URLSearchParams(location.search);
    search.set("show", id);
    history.pushState({}, "", `${location.pathname}?${search}`);
    dispatchEvent(new Event("sigscope:show"));
  };
  const types = ["touchstart", "touchmove", "touchend"];
  types.forEach((type) => document.addEventListener(type, onTouch, { capture: true }));
  let hooked;
  const hook = () => {
    const plot = document.querySelector(".js-plotly-plot");
    if (!plot?.on || plot === hooked) return;
    hooked = plot;
    plot.on("plotly_click", onClick);
  };
  const timer = setInterval(hook, 300);
  return () => {
    clearInterval(timer);
    types.forEach((type) => document.removeEventListener(type, onTouch, { capture: true }));
    hooked?.removeListener?.("plotly_click", onClick);
    turn(false);
    button.remove();
  };
}
