// The map, drawn by Plotly in one chart: other colours are put on the points that are there, so the
// place that is looked at stays. A click opens a picture while the tool is the lasso, the picture
// shows under the mouse, names never cover each other, and on a screen that is touched a swipe
// scrolls the page until the lasso is turned on. still.js stands before it.

const CONFIG = {
  scrollZoom: true, displaylogo: false, showSendToCloud: false, responsive: true,
  doubleClick: "autosize", // all points, wherever the map was when it was coloured
  plotGlPixelRatio: devicePixelRatio, // Plotly would draw four pixels for each of most screens
};
const MANY = 10_000; // points that are moved as a still picture
const FAILED = "What draws the map could not be fetched; load the page again.";
const idOf = (point) => [point?.customdata].flat()[0];

let library;
const fetched = (address) => library ??= new Promise((done, failed) => {
  const early = document.querySelector(`script[src="${address}"]`); // by the shell
  const script = early ?? Object.assign(document.createElement("script"), { src: address });
  if (early && window.Plotly) done(window.Plotly);
  script.addEventListener("load", () => done(window.Plotly));
  script.addEventListener("error", () => { library = null; failed(new Error(FAILED)); });
  if (!early) document.head.append(script);
});

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

const made = (name, props, parent) => {
  const element = Object.assign(document.createElement(name), props);
  parent.append(element);
  return element;
};

class Chart {
  constructor(parent) {
    this.plot = made("div", { className: "map", role: "figure" }, parent);
    this.button = made("button", { type: "button", className: "lasso" }, parent);
    this.button.onclick = () => this.turn(this.button.ariaPressed !== "true");
    this.turn(false);
    this.still = new Still(this.plot, () => this.leave(), (ids) => this.choose(ids));
    this.hovered = made("div", { className: "hovered", hidden: true }, document.body);
    this.picture = made("img", { alt: "" }, this.hovered); // the one under the mouse
    this.words = made("p", {}, this.hovered);
    this.touched = (event) => { // Plotly would hold the page still
      if (this.button.ariaPressed !== "true" && event.target.closest(LAYER)) event.stopPropagation();
    };
    this.types = ["touchstart", "touchmove", "touchend"];
    for (const type of this.types) document.addEventListener(type, this.touched, { capture: true });
  }

  async update(data, tell) {
    Object.assign(this, { data, tell });
    const { data: traces, layout } = JSON.parse(data.figure);
    this.plot.style.minHeight = `${layout.height}px`; // nothing moves when it is drawn
    try {
      const Plotly = await fetched(data.library);
      if (this.data !== data) return; // another is to be drawn already, or none any more
      if (this.drawn !== data.name) { // other points, seen as a whole
        Plotly.purge(this.plot);
        this.still.forget();
        this.seen = null;
      }
      for (const [name, range] of Object.entries(this.seen ?? {})) layout[name].range = range;
      const points = traces.reduce((n, trace) => n + (trace.customdata?.length ?? 0), 0);
      this.still.isOn = points > MANY && !layout.scene;
      this.plot.ariaLabel = data.alt;
      await Plotly.react(this.plot, traces, { ...layout, clickmode: "event" }, CONFIG);
      if (this.data && this.drawn !== data.name) this.hear(data.name);
    } catch (reason) {
      this.plot.textContent = reason.message;
    }
  }

  hear(name) {
    this.drawn = this.plot.dataset.heard = name; // what is done to it from now on is answered
    this.plot.on("plotly_click", ({ points }) => this.open(idOf(points[0])));
    this.plot.on("plotly_hover", ({ points, event }) => this.hover(points[0], event));
    this.plot.on("plotly_unhover", () => this.leave());
    this.plot.on("plotly_selected", (event) => { // also said when an outline is taken away
      if (event?.lassoPoints || event?.range) this.choose(event.points.map(idOf));
    });
    this.plot.on("plotly_deselect", () => { if (!this.still.wasDragged) this.choose([]); });
    this.plot.on("plotly_relayout", () => { // other colours are seen from there
      const { xaxis, yaxis } = this.plot.layout;
      this.seen = !xaxis || xaxis.autorange ? null : { xaxis: xaxis.range, yaxis: yaxis.range };
    });
    this.plot.on("plotly_afterplot", () => apart(this.plot));
    apart(this.plot);
  }

  choose(ids) { // by the lasso or the box
    this.tell("lassoed", { ids: [...new Set(ids.filter(Boolean))] });
  }

  leave() {
    this.hovered.hidden = true;
  }

  open(id) {
    this.leave();
    if (!id || this.still.wasDragged) return;
    const search = new URLSearchParams(location.search);
    search.set("show", id);
    history.pushState({}, "", `${location.pathname}?${search}`);
    dispatchEvent(new Event("sigscope:show"));
  }

  hover(point, { clientX: x, clientY: y }) {
    const id = idOf(point);
    if (!id || document.querySelector("dialog[open]")) return;
    const told = new DOMParser().parseFromString(point.hovertext ?? "", "text/html").body;
    this.words.replaceChildren(...[...told.childNodes].map((part) => part.nodeName === "#text"
      ? part.textContent
      : Object.assign(document.createElement(part.nodeName), { textContent: part.textContent })));
    this.picture.src = this.data.base + encodeURIComponent(id);
    this.hovered.hidden = false;
    this.hovered.style.left = `${x + 20 + 190 > innerWidth ? x - 210 : x + 20}px`;
    this.hovered.style.top = `${Math.max(8, Math.min(y - 60, innerHeight - 270))}px`;
  }

  turn(on) {
    this.button.ariaPressed = on;
    this.button.textContent = on ? "Lasso is on: draw around points" : "Turn the lasso on";
    document.body.classList.toggle("with-lasso", on);
  }

  remove() {
    this.data = null;
    for (const type of this.types)
      document.removeEventListener(type, this.touched, { capture: true });
    this.turn(false);
    this.still.remove();
    window.Plotly?.purge(this.plot);
    for (const part of [this.plot, this.button, this.hovered]) part.remove();
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const chart = (parentElement.chart ??= new Chart(parentElement));
  chart.update(data, setTriggerValue);
  return () => {
    chart.remove();
    delete parentElement.chart;
  };
}
