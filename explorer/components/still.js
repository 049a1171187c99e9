// A map of many points takes a third of a second to draw where no graphics card does it. So while
// the mouse is down or its wheel turns, what is drawn is moved as it is, and an outline is a line
// of ours. When the mouse rests Plotly draws the map anew, or the points in the outline are told.

const LAYER = ".nsewdrag"; // Plotly's plane, on which the mouse acts
const REST_MS = 250; // without a turn of the wheel
const STEP = 3; // pixels between the corners of an outline
const CLICK = 8; // pixels that Plotly still takes for a click

class Still {
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
    this.drag = { tool, way: [this.at(event)], adds: event.shiftKey };
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
    const { tool, outline, adds } = this.drag;
    this.drag = null;
    this.line?.remove();
    if (tool === "pan") { // the way's end alone, as Plotly would draw at each step of it
      const told = { clientX, clientY, buttons: 1, bubbles: true, view: window };
      document.documentElement.dispatchEvent(new MouseEvent("mousemove", told));
      this.show(null);
    } else if (this.wasDragged) this.choose(this.within(outline, adds));
  }

  outline(corners) {
    this.drag.outline = corners;
    if (!this.line?.isConnected) {
      this.plot.insertAdjacentHTML("beforeend", '<svg class="outline"><polygon/></svg>');
      this.line = this.plot.lastElementChild;
    }
    this.line.firstElementChild.setAttribute("points", corners.join(" "));
  }

  within(outline, adds) { // the ids of the points in it, and of those that are chosen if it adds
    const { x, y } = this.scales();
    const corners = outline.map(([across, down]) => [x(across), y(down)]);
    const sides = corners.map((corner, n) => [...corner, ...corners.at(n - 1)]);
    const [west, east, south, north] = [0, 1].map((axis) => corners.map((corner) => corner[axis]))
      .flatMap((ends) => [Math.min(...ends), Math.max(...ends)]);
    const isIn = (px, py) => { // a ray from it crosses an odd number of sides
      if (px < west || px > east || py < south || py > north) return false;
      let inside = false;
      for (const [ax, ay, bx, by] of sides)
        if ((ay > py) !== (by > py) && px < ax + (py - ay) / (by - ay) * (bx - ax))
          inside = !inside;
      return inside;
    };
    return this.plot._fullData.filter((trace) => trace.visible === true && trace.customdata)
      .flatMap(({ x: xs, y: ys, customdata, selectedpoints }) => {
        const chosen = new Set(adds ? selectedpoints : []);
        return customdata.filter((_, n) => chosen.has(n) || isIn(xs[n], ys[n]));
      });
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

  forget() { // what was begun on points that go
    clearTimeout(this.timer);
    this.line?.remove();
    this.seen = this.drag = null;
  }

  remove() {
    this.forget();
    for (const [type, handler] of Object.entries(this.handlers))
      window.removeEventListener(type, handler, { capture: true });
  }
}
