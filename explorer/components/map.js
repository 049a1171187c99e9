// The map, drawn by Plotly in one chart: other colours are put on the points that are there, so the
// place that is looked at stays. A click opens a picture while the tool is the lasso, the picture
// shows under the mouse, names never cover each other, and on a screen that is touched a swipe
// scrolls the page until the lasso is turned on. Many points take a third of a second to draw where
// no graphics card does it: they are moved as a still picture, and drawn when the mouse rests.

const LAYER = ".nsewdrag";
const CONFIG = {
  scrollZoom: true, displaylogo: false, showSendToCloud: false, responsive: true,
  doubleClick: "autosize", // all points, wherever the map was when it was coloured
  plotGlPixelRatio: devicePixelRatio, // Plotly would draw four pixels for each of most screens
};
const MANY = 10_000; // points
const REST_MS = 250; // without a turn of the wheel
const STEP = 3; // pixels between the corners of an outline
const CLICK = 8; // pixels that Plotly still takes for a click
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

class Still { // a map's drawing, moved as it is; Plotly hears afterwards what was done
  constructor(plot, begin, choose) {
    Object.assign(this, { plot, begin, choose, isOn: false });
    this.handlers = {
      mousedown: (event) => this.press(event), mousemove: (event) => this.move(event),
      mouseup: (event) => this.release(event), wheel: (event) => this.turn(event),
    };
    for (const [type, handler] of Object.entries(this.handlers))
      window.addEventListener(type, handler, { capture: true, passive: false });
  }

  has(event) { // whether it is done to many points in the plane
    return this.isOn && this.plot.contains(event.target) && event.target.closest(LAYER);
  }

  at({ clientX, clientY }) { // in the plot, pixels
    const home = this.plot.getBoundingClientRect();
    return [clientX - home.left, clientY - home.top];
  }

  press(event) {
    this.wasDragged = false;
    const tool = this.plot.layout?.dragmode;
    if (event.button || !this.has(event) || !["pan", "lasso", "select"].includes(tool)) return;
    this.rest();
    this.drag = { tool, way: [this.at(event)] };
    this.begin();
  }

  move(event) {
    if (!this.drag || !event.isTrusted) return; // that of release is for Plotly
    if (!event.buttons) return this.release(event); // let go where nobody could hear it
    event.stopImmediatePropagation();
    const { tool, way } = this.drag, [[left, top]] = way, [x, y] = this.at(event);
    const [lastX, lastY] = way.at(-1);
    if (Math.hypot(x - lastX, y - lastY) >= STEP) way.push([x, y]);
    this.wasDragged ||= Math.hypot(x - left, y - top) > CLICK;
    if (tool === "pan") this.show({ scale: 1, x: x - left, y: y - top });
    else if (tool === "lasso") this.outline(way);
    else this.outline([[left, top], [x, top], [x, y], [left, y]]);
  }

  release({ clientX, clientY }) {
    if (!this.drag) return;
    const { tool, outline } = this.drag;
    this.drag = null;
    this.line?.remove();
    if (tool === "pan") { // the way's end alone, as Plotly would draw at each step of it
      const told = { clientX, clientY, buttons: 1, bubbles: true, view: window };
      document.documentElement.dispatchEvent(new MouseEvent("mousemove", told));
      this.show(null);
    } else if (this.wasDragged) this.choose(this.within(outline));
  }

  outline(corners) {
    this.drag.outline = corners;
    if (!this.line?.isConnected) {
      this.plot.insertAdjacentHTML("beforeend", '<svg class="outline"><polygon/></svg>');
      this.line = this.plot.lastElementChild;
    }
    this.line.firstElementChild.setAttribute("points", corners.join(" "));
  }

  within(outline) { // the ids of the points in it
    const { x, y } = this.scales();
    const corners = outline.map(([across, down]) => [x(across), y(down)]);
    const sides = corners.map((corner, n) => [...corner, ...corners.at(n - 1)]);
    const [xs, ys] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
    const [west, east] = [Math.min(...xs), Math.max(...xs)];
    const [south, north] = [Math.min(...ys), Math.max(...ys)];
    const isIn = (px, py) => { // a ray from it crosses an odd number of sides
      if (px < west || px > east || py < south || py > north) return false;
      let inside = false;
      for (const [ax, ay, bx, by] of sides)
        if ((ay > py) !== (by > py) && px < ax + (py - ay) / (by - ay) * (bx - ax))
          inside = !inside;
      return inside;
    };
    return this.plot._fullData.filter((trace) => trace.visible === true && trace.customdata)
      .flatMap((trace) => trace.customdata.filter((_, n) => isIn(trace.x[n], trace.y[n])));
  }

  scales() { // from pixels of the plot to places on the map, as it is drawn
    const { left, top, width, height } = this.plot.querySelector(LAYER).getBoundingClientRect();
    const [fromLeft, fromTop] = this.at({ clientX: left, clientY: top });
    const { xaxis: { range: [west, east] }, yaxis: { range: [south, north] } } = this.plot.layout;
    return {
      x: (across) => west + (across - fromLeft) / width * (east - west),
      y: (down) => north + (down - fromTop) / height * (south - north),
      sides: [fromLeft, fromLeft + width, fromTop, fromTop + height],
    };
  }

  turn(event) { // the wheel: as far as Plotly would go, about the place under the mouse
    if (!this.has(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const by = Math.exp(Math.min(Math.max(-event.deltaY, -20), 20) / 200);
    const [x, y] = this.at(event), seen = this.seen ?? { scale: 1, x: 0, y: 0 };
    this.show({ scale: by * seen.scale, x: x - by * (x - seen.x), y: y - by * (y - seen.y) });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.rest(), REST_MS);
  }

  rest() { // draw what the wheel made of it
    clearTimeout(this.timer);
    if (!this.seen) return;
    const { scale, x, y } = this.seen, drawn = this.scales();
    const [left, right, top, bottom] = drawn.sides;
    const range = {
      "xaxis.range": [left, right].map((across) => drawn.x((across - x) / scale)),
      "yaxis.range": [bottom, top].map((down) => drawn.y((down - y) / scale)),
    };
    this.show(null);
    window.Plotly.relayout(this.plot, range);
  }

  show(seen) { // {scale, x, y} of what is drawn, null where it lies
    this.seen = seen;
    const { annotations } = this.plot.layout ?? {};
    const places = [...this.plot.querySelectorAll(".gl-container canvas, .cartesianlayer")];
    const names = [...this.plot.querySelectorAll(".annotation")]
      .filter((name) => annotations?.[name.dataset.index]?.xref !== "paper");
    const transform = seen ? `translate(${seen.x}px, ${seen.y}px) scale(${seen.scale})` : "";
    for (const part of [...places, ...names])
      Object.assign(part.style, { transform, transformOrigin: "0 0" });
    const [left, right, top, bottom] = this.scales().sides; // what moves out of it is not seen
    const corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
    const clipPath = `polygon(${corners.map(([x, y]) => `${x}px ${y}px`)})`;
    this.plot.querySelector(".gl-container").style.clipPath = seen ? clipPath : "";
    this.plot.classList.toggle("still", !!seen);
  }

  remove() {
    clearTimeout(this.timer);
    for (const [type, handler] of Object.entries(this.handlers))
      window.removeEventListener(type, handler, { capture: true });
  }
}

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
