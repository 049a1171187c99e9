// What Streamlit leaves out of a Plotly chart: a click opens the picture while the tool is the
// lasso, the picture shows under the mouse, names never cover each other, and on a screen that is
// touched a swipe scrolls the page until the lasso is turned on.

const LAYER = ".nsewdrag";
const idOf = (points) => [points?.[0]?.customdata].flat()[0];

const apart = (plot) => { // the names of large clusters come first, and stay
  const kept = [];
  const points = (label) => !!label.querySelector(".annotation-arrow-g"); // what was asked for
  const labels = [...plot.querySelectorAll(".annotation")];
  for (const label of labels.sort((one, other) => points(other) - points(one))) {
    label.style.visibility = "";
    const box = label.getBoundingClientRect();
    const free = kept.every((other) => box.right < other.left || other.right < box.left ||
      box.bottom < other.top || other.bottom < box.top);
    if (free) kept.push(box);
    else label.style.visibility = "hidden";
  }
};

export default function ({ parentElement, data }) {
  const hovered = document.createElement("div"); // the picture under the mouse
  const picture = document.createElement("img"), words = document.createElement("p");
  picture.alt = "";
  hovered.className = "hovered";
  hovered.hidden = true;
  hovered.append(picture, words);
  document.body.append(hovered);
  const onHover = ({ points, event }) => {
    const id = idOf(points);
    if (!id || document.querySelector("dialog[open]")) return;
    const told = new DOMParser().parseFromString(points[0].hovertext ?? "", "text/html").body;
    words.replaceChildren(...[...told.childNodes].map((part) => part.nodeName === "#text"
      ? part.textContent
      : Object.assign(document.createElement(part.nodeName), { textContent: part.textContent })));
    picture.src = data.base + encodeURIComponent(id);
    hovered.hidden = false;
    const { clientX: x, clientY: y } = event;
    hovered.style.left = `${x + 20 + 190 > innerWidth ? x - 210 : x + 20}px`;
    hovered.style.top = `${Math.max(8, Math.min(y - 60, innerHeight - 270))}px`;
  };
  const onLeave = () => { hovered.hidden = true; };
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
    const id = idOf(points);
    onLeave();
    if (!id) return;
    const search = new URLSearchParams(location.search);
    search.set("show", id);
    history.pushState({}, "", `${location.pathname}?${search}`);
    dispatchEvent(new Event("sigscope:show"));
  };
  const types = ["touchstart", "touchmove", "touchend"];
  types.forEach((type) => document.addEventListener(type, onTouch, { capture: true }));
  const acts = { plotly_click: onClick, plotly_hover: onHover, plotly_unhover: onLeave,
    plotly_afterplot: () => apart(hooked) };
  let hooked;
  const hook = () => {
    const plot = document.querySelector(".js-plotly-plot");
    if (!plot?.on || plot === hooked) return;
    hooked = plot;
    for (const [name, act] of Object.entries(acts)) plot.on(name, act);
    plot.dataset.heard = ""; // what is done to it from now on is answered
    apart(plot);
  };
  const watch = new MutationObserver(hook); // Streamlit may draw the chart late, or anew
  watch.observe(document.querySelector('[data-testid="stMain"]'), { childList: true, subtree: true });
  hook();
  return () => {
    watch.disconnect();
    types.forEach((type) => document.removeEventListener(type, onTouch, { capture: true }));
    for (const [name, act] of Object.entries(acts)) hooked?.removeListener?.(name, act);
    hovered.remove();
    turn(false);
    button.remove();
  };
}
