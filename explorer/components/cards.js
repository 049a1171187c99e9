// Pictures in a grid, and one of them large over the page. What a visitor does to them is a change
// of the address, which is the state: each act is a link, and the server reads where it leads.

const el = (name, props = {}, ...inside) => {
  const made = Object.assign(document.createElement(name), props);
  for (const [key, value] of Object.entries(props))
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
  made.append(...inside);
  return made;
};

const DRAWN = { // on a field of 16 by 16
  like: "M2 3.5h5v5H2zM9 7.5h5v5H9z M9.5 4h4 M2.5 12h4",
  less: "M3 8h10", add: "M3 8h10 M8 3v10",
  star: "M8 2l1.85 3.75 4.15.6-3 2.9.7 4.1L8 11.4l-3.7 1.95.7-4.1-3-2.9 4.15-.6z",
  tick: "M3.5 8.5l3 3 6-7",
  pin: "M8 14.5C5 11 3.5 8.6 3.5 6.3a4.5 4.5 0 0 1 9 0C12.500 8.600 11 11 8 14.500z M8 4.700v3",
};
const icons = {}; // each is read once, and copied from then on
const icon = (name) => {
  if (!icons[name]) {
    icons[name] = el("span");
    icons[name].innerHTML = `<svg viewBox="0 0 16 16" width="16" height="16" fill="none"
      aria-hidden="true" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"><path
      d="${DRAWN[name]}"/></svg>`;
  }
  return icons[name].cloneNode(true);
};

const STAR = "starred"; // the tag that a star stands for

const address = (change, page = location.pathname) => {
  const search = new URLSearchParams(location.search);
  search.delete("show");
  change(search);
  const text = search.toString();
  return page + (text && "?" + text);
};

// A selection gets its name in the address from the server: nobody leaves for another address before.
// What it was not told, as the page was left at once, is told by the next page with pictures.
const UNTOLD = "sigscope: chosen, and not told";
const waiting = { cards: null, next: null };
const go = (where, how = "pushState") => {
  if (waiting.cards) {
    if (how === "pushState" || !waiting.next) waiting.next = [where, how];
    waiting.cards.say();
    const { sent } = waiting.cards; // the server may be gone
    setTimeout(() => waiting.cards?.sent === sent && settled(), 3000);
    return;
  }
  history[how]({}, "", where());
  dispatchEvent(new PopStateEvent("popstate")); // Streamlit follows, and asks the server
};
const settled = () => {
  const { next } = waiting;
  waiting.cards = waiting.next = null;
  if (next) go(...next);
};

const QUERY = ["q", "not", "like", "unlike", "picture", "weight", "k", "view"];
let answered; // what the pictures on the page were asked for

const only = (name, id) => (search) => {
  QUERY.forEach((other) => search.delete(other));
  search.set(name, id);
};
const also = (name, id) => (search) => {
  search.delete("k");
  for (const other of ["like", "unlike"]) {
    const kept = search.getAll(other).filter((one) => one !== id);
    search.delete(other);
    kept.forEach((one) => search.append(other, one));
  }
  search.append(name, id);
};

class Cards {
  constructor(root) {
    this.root = root;
    this.rows = [];
    this.chosen = new Set();
    this.sent = 0; // number of the selection that the server does not know yet
    this.sized = 0; // the size that it does not know yet
    this.tags = {};
    this.acts = []; // those on tags that the server has not answered yet
    this.count = el("p", { role: "status", className: "count" });
    this.told = el("p", { className: "told" });
    this.slider = el("input", { type: "range", min: 80, max: 400, step: 10 });
    this.slider.setAttribute("aria-label", "Size of the pictures");
    this.slider.title = "Size of the pictures (keys + and −)";
    this.grid = el("div", { className: "cards" });
    this.end = el("div", { className: "end" });
    this.all = el("button", { type: "button", className: "all", onclick: () => this.chooseAll() });
    this.bar = el("div", { className: "bar" }, this.count, this.told, this.all, this.slider);
    this.whole = el("div", {}, this.bar, this.grid, this.end);
    root.append(this.whole);
    this.panel = new Panel(this);
    this.slider.oninput = () => { this.resize(+this.slider.value); this.sized = this.size; };
    this.slider.onchange = () => this.keepSize();
    this.onKey = (event) => this.key(event);
    this.onPop = ({ isTrusted }) => {
      if (isTrusted) this.forget(true); // Back or Forward: what it shows is what counts
      this.panel.follow();
    };
    document.addEventListener("keydown", this.onKey);
    for (const type of ["popstate", "sigscope:show"]) addEventListener(type, this.onPop);
    const main = document.querySelector('[data-testid="stMain"]');
    this.watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) &&
      this.more(), { root: main, rootMargin: "150px" });
  }

  update(data, tell) {
    this.tell = tell;
    const same = JSON.stringify(this.rows) ===
      JSON.stringify(data.rows.slice(0, this.rows.length)) && this.data?.base === data.base &&
      this.data?.called === data.called;
    const from = same ? this.rows.length : 0;
    const fresh = data.rows.slice(from).flatMap((row, at) => [
      ...(row[4].heading ? [el("h2", {}, row[4].heading)] : []), this.card(row, data, from + at)]);
    const held = this.grid.querySelector(".card:focus-within")?.dataset.id;
    same ? this.grid.append(...fresh) : this.grid.replaceChildren(...fresh);
    if (held && !same) this.focus(held, { preventScroll: true });
    const isFirst = !this.data, asked = JSON.stringify(data.asked);
    if (answered && answered !== asked) // another query's pictures are seen from the first
      document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0);
    answered = asked;
    this.data = data;
    this.rows = data.rows;
    const many = data.rows.length;
    this.count.textContent = many === 1 ? "1 picture" : `${many.toLocaleString("en")} pictures`;
    this.told.textContent = data.told;
    this.told.title = data.help;
    this.bar.hidden = !data.bar;
    const beside = this.rows.some(([id]) => id === this.panel.id) ? {}
      : { [this.panel.id]: this.tags[this.panel.id] }; // a neighbour in the panel
    this.tags = { ...beside, ...data.tags };
    this.acts = this.acts.filter(({ number }) => number > data.acted);
    this.acts.forEach((act) => this.take(act));
    if (data.heard >= this.sent) { // the visitor has not gone on since
      if (this.sent) sessionStorage.removeItem(UNTOLD);
      this.sent = 0;
      this.chosen = new Set(data.chosen);
    }
    if (isFirst) this.goOn();
    this.mark();
    if ([0, data.size].includes(this.sized)) {
      this.sized = 0;
      this.resize(data.size);
    }
    this.watch.disconnect();
    if (data.more > many) this.watch.observe(this.end);
    if (!this.sent) settled();
    this.panel.follow();
  }

  card([id, caption, category, score, { alike, kind }], { base, called, inside, atOnce }, at) {
    const name = caption || id.split("/").pop();
    const picture = el("img", { alt: name, loading: at < atOnce ? "eager" : "lazy",
      decoding: "async", draggable: false, onload: () => dress(picture),
      src: inside[id] ?? base + encodeURIComponent(id) });
    const open = el("a", { className: "open", href: address((a) => a.set("show", id)),
      title: name }, picture);
    const pick = button(icon("tick"), `Select ${name}`, (event) => this.choose(id, event.shiftKey));
    pick.className = "pick";
    const star = button(icon("star"), `Star ${name}`, () => this.star(id));
    star.className = "star";
    const acts = [
      ["like", `More like ${name}`, only("like", id)],
      ["less", `Less like ${name}`, also("unlike", id)],
      ["add", `Add ${name} to the query`, also("like", id)],
    ].map(([sign, title, change]) => link(icon(sign), title, change, "/"));
    acts.unshift(star);
    acts.push(link(icon("pin"), `Show ${name} on the map`, (a) => a.set("on", id), "/map"));
    const below = [score === null ? "" : `${called} ${score.toFixed(3)}`, category];
    const figure = el("figure", { className: "card" }, open, pick, el("div", { className: "tags" }),
      el("div", { className: "acts" }, ...acts),
      el("figcaption", { title: name }, name),
      el("p", { title: below.join(" ") }, below.filter(Boolean).join(" · ") || "\u00a0"));
    if (alike) figure.querySelector("p").prepend(link(`+${alike} alike`,
      `Show the ${alike} that are like ${name}`, (a) => a.set("group", id), "/duplicates"), " · ");
    figure.classList.toggle("keep", kind === "");
    figure.dataset.id = id;
    figure.onclick = (event) => {
      if (!event.target.closest(".open")) return;
      if (event.shiftKey) { event.preventDefault(); this.choose(id, true); return; }
      if (plain(event)) this.panel.open(id);
    };
    return figure;
  }

  choose(id, range = false) { // or no longer; a range goes from the one before to this one
    const ids = this.rows.map(([one]) => one);
    const [from, to] = [range ? ids.indexOf(this.last) : -1, ids.indexOf(id)];
    const meant = from < 0 ? [id] : ids.slice(Math.min(from, to), Math.max(from, to) + 1);
    const on = from >= 0 || !this.chosen.has(id);
    meant.forEach((one) => this.chosen[on ? "add" : "delete"](one));
    this.last = id;
    this.keep();
  }

  chooseAll() {
    const whole = this.rows.every(([id]) => this.chosen.has(id));
    this.rows.forEach(([id]) => this.chosen[whole ? "delete" : "add"](id));
    this.keep();
  }

  keep() { // the selection: the server knows it a little later, and says it again
    this.mark();
    this.sent = Math.max(Date.now(), this.sent + 1);
    waiting.cards = this;
    sessionStorage.setItem(UNTOLD, JSON.stringify([this.data.base, ...this.chosen]));
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.say(), 250);
  }

  goOn() { // with a selection that was made on the page before and of this gallery
    const [base, ...ids] = JSON.parse(sessionStorage.getItem(UNTOLD) ?? "[]");
    if (base !== this.data.base) return;
    this.chosen = new Set(ids);
    this.keep();
  }

  say() {
    if (!this.telling) return;
    clearTimeout(this.telling);
    this.telling = 0;
    this.tell("chosen", { number: this.sent, ids: [...this.chosen], show: this.panel.id });
  }

  forget(forGood = false) { // what the server has not been told
    if (forGood) sessionStorage.removeItem(UNTOLD);
    for (const timer of [this.telling, this.timer]) clearTimeout(timer);
    this.telling = this.sent = this.sized = 0;
    waiting.cards = waiting.next = null;
  }

  tag(id, tag, on) { // told with what was not yet answered, as a quick act takes another's place
    const number = Math.max(Date.now(), (this.acts.at(-1)?.number ?? 0) + 1);
    this.acts.push({ number, id, tag, on });
    this.take(this.acts.at(-1));
    this.mark();
    this.tell("tagged", this.acts);
  }

  take({ id, tag, on }) {
    const others = (this.tags[id] ?? []).filter((one) => one !== tag);
    this.tags[id] = on ? [...others, tag] : others;
  }

  star(id) {
    this.tag(id, STAR, !this.tags[id]?.includes(STAR));
  }

  mark() { // the cards with what is chosen and tagged
    for (const card of this.grid.querySelectorAll(".card")) {
      const { id } = card.dataset, tags = this.tags[id] ?? [];
      const on = this.chosen.has(id);
      card.classList.toggle("chosen", on);
      card.querySelector(".pick").ariaPressed = on;
      card.querySelector(".star").ariaPressed = tags.includes(STAR);
      const told = tags.map((tag) => el("span", {}, tag === STAR ? "★" : tag));
      const shown = told.length > 3 ? [...told.slice(0, 2), el("span", {}, `+${told.length - 2}`)]
        : told;
      card.querySelector(".tags").replaceChildren(...shown);
      card.querySelector(".tags").title = tags.join(", ");
    }
    this.whole.classList.toggle("choosing", this.chosen.size > 0);
    const all = this.rows.length > 0 && this.rows.every(([id]) => this.chosen.has(id));
    this.all.textContent = all ? "Select none" : "Select all";
    this.panel.mark();
  }

  resize(size) {
    this.size = Math.max(80, Math.min(400, size));
    this.slider.value = this.size;
    this.grid.style.setProperty("--size", this.size + "px");
  }

  keepSize() {
    this.sized = this.size;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => go(() => address((a) => a.set("size", this.size))), 400);
  }

  key(event) {
    if (event.target.closest("input, textarea, [contenteditable]")) return;
    const inside = this.grid.contains(event.target) || this.chosen.size;
    if ((event.ctrlKey || event.metaKey) && event.key === "a" && inside && this.rows.length) {
      event.preventDefault();
      this.rows.forEach(([id]) => this.chosen.add(id));
      this.keep();
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = this.panel.id || event.target.closest?.(".card")?.dataset.id;
    if (here && event.key === "x") { this.choose(here); return; }
    if (here && event.key === "s") { this.star(here); return; }
    if (this.panel.box.open) {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) { event.preventDefault(); this.panel.step(by); }
      return;
    }
    const step = { "+": 25, "=": 25, "-": -25 }[event.key];
    if (!step) return;
    this.resize(this.size + step);
    this.keepSize();
  }

  more() {
    this.watch.disconnect();
    const k = Math.min(this.rows.length * 2, this.data.more);
    const shown = this.panel.id;
    go(() => address((a) => { a.set("k", k); if (shown) a.set("show", shown); }), "replaceState");
  }

  focus(id, how) {
    for (const card of this.grid.children)
      if (card.dataset.id === id) card.querySelector(".open").focus(how);
  }

  remove() {
    this.forget();
    document.removeEventListener("keydown", this.onKey);
    for (const type of ["popstate", "sigscope:show"]) removeEventListener(type, this.onPop);
    this.watch.disconnect();
    this.whole.remove();
    this.panel.box.remove();
  }
}

class Panel {
  constructor(cards) {
    this.cards = cards;
    this.id = "";
    this.box = el("dialog", { className: "panel", tabIndex: -1 });
    this.box.addEventListener("cancel", (event) => { event.preventDefault(); this.close(); });
    this.box.addEventListener("click", (event) => event.target === this.box && this.close());
    let from = null;
    this.box.addEventListener("touchstart", (event) => { from = event.touches[0]; });
    this.box.addEventListener("touchend", (event) => {
      const way = event.changedTouches[0].clientX - from.clientX;
      if (Math.abs(way) > 60 && Math.abs(event.changedTouches[0].clientY - from.clientY) < 40)
        this.step(way < 0 ? 1 : -1);
    });
    cards.root.append(this.box);
  }

  follow() { // what the address says
    const id = new URLSearchParams(location.search).get("show") ?? "";
    if (id !== this.id) this.show(id);
  }

  open(id) {
    history.pushState({}, "", address((a) => a.set("show", id)));
    this.show(id);
  }

  close() {
    go(() => address(() => {})); // and so to follow()
  }

  step(by) {
    const at = this.cards.rows.findIndex(([id]) => id === this.id);
    const next = this.cards.rows[at + by];
    if (at < 0 || !next) return;
    this.open(next[0]);
    if (at + by > this.cards.rows.length - 4 && this.cards.data.more > this.cards.rows.length)
      this.cards.more();
  }

  show(id) {
    const before = this.id;
    this.id = id;
    if (!id) {
      this.box.close();
      this.cards.focus(before);
      return;
    }
    this.draw(this.cards.rows.find(([one]) => one === id) ?? [id, "", "", null]);
    if (!this.box.open) this.box.showModal();
    if (!this.box.contains(document.activeElement)) this.box.focus();
    this.fetch(id);
  }

  draw([id, caption, category, score]) {
    const { base, called } = this.cards.data;
    const file = id.split("/").pop();
    const at = this.cards.rows.findIndex(([one]) => one === id);
    const many = this.cards.rows.length;
    const thumb = base + encodeURIComponent(id);
    const picture = el("img", { alt: caption || file, src: thumb });
    picture.onload = () => dress(picture);
    const large = new Image(); // the small one stands there until the large one has come
    large.onload = () => this.id === id && (picture.src = large.src);
    large.src = thumb + "?large=1";
    const acts = el("nav", { className: "panel-acts" },
      link("More like this", `More like ${file}`, only("like", id), "/"),
      link("Less like this", `Less like ${file}`, also("unlike", id), "/"),
      link("Add to the query", `Add ${file} to the query`, also("like", id), "/"),
      link("Show on map", `Show ${file} on the map`, (a) => a.set("on", id), "/map"),
      el("a", { href: thumb + "?original=1", target: "_blank", rel: "noopener",
        title: `Open the file ${file}` }, "Open the original"));
    this.copy = button("Copy path", `Copy the path of ${file}`, () => {});
    this.star = button("", `Star ${file}`, () => this.cards.star(id));
    this.pick = button("", `Select ${file}`, () => this.cards.choose(id));
    acts.prepend(this.star, this.pick);
    acts.append(this.copy);
    this.tags = el("div", { className: "panel-acts" });
    const typed = el("input", { type: "text", maxLength: 40, placeholder: "Add a tag" });
    typed.setAttribute("aria-label", `Add a tag to ${file}`);
    const form = el("form", { onsubmit: (event) => {
      event.preventDefault();
      const tag = typed.value.trim().toLowerCase();
      if (tag) this.cards.tag(id, tag, true);
      typed.value = "";
    } }, typed);
    this.facts = el("dl");
    this.texts = el("ul", { className: "texts" });
    if (caption) this.texts.append(el("li", {}, caption));
    this.fits = el("div");
    this.near = el("div", { className: "near" });
    const line = [score === null ? "" : `${called} ${score.toFixed(3)}`, category];
    const held = document.activeElement?.closest(".stage button")?.title; // stays with who uses it
    this.box.setAttribute("aria-label", caption || file);
    this.box.replaceChildren(
      el("div", { className: "stage" }, picture,
        button("‹", "Previous picture", () => this.step(-1), at <= 0),
        button("›", "Next picture", () => this.step(1), at < 0 || at === many - 1)),
      el("div", { className: "about" },
        el("header", {}, el("h2", {}, file), button("✕", "Close", () => this.close())),
        el("p", { className: "line" }, line.filter(Boolean).join(" · ")),
        this.texts, acts, el("div", { className: "panel-tags" }, this.tags, form),
        this.facts, this.fits,
        el("h3", {}, "Nearest pictures"), this.near));
    this.box.querySelector(`.stage [title="${held}"]:enabled`)?.focus();
    this.mark();
  }

  mark() { // what is tagged and chosen
    if (!this.id || !this.tags) return;
    const id = this.id, tags = this.cards.tags[id] ?? [];
    const starred = tags.includes(STAR), chosen = this.cards.chosen.has(id);
    this.star.replaceChildren(starred ? "★ Starred" : "☆ Star");
    this.star.ariaPressed = starred;
    this.pick.replaceChildren(chosen ? "✓ Selected" : "Select");
    this.pick.ariaPressed = chosen;
    this.tags.replaceChildren(...tags.filter((tag) => tag !== STAR).map((tag) =>
      button(`${tag} ✕`, `Take the tag ${tag} away`, () => this.cards.tag(id, tag, false))));
  }

  async fetch(id) {
    const { facts } = this;
    let about;
    try {
      const answer = await fetch(this.cards.data.about + encodeURIComponent(id));
      about = await answer.json();
    } catch {
      about = { trouble: "What is known of this picture could not be fetched." };
    }
    if (this.facts !== facts) return; // another picture is drawn, or this one anew
    if (about.tags && !this.cards.tags[id]) this.cards.tags[id] = about.tags;
    this.mark();
    if (about.trouble) this.facts.replaceWith(el("p", { role: "alert" }, about.trouble));
    for (const [what, value] of about.facts ?? [])
      this.facts.append(el("dt", {}, what), el("dd", {}, value));
    if (about.captions?.length) this.texts.replaceChildren(...about.captions.map(scored));
    if (about.fitting?.length)
      this.fits.append(el("details", {}, el("summary", {}, "Captions that fit"),
        el("ul", { className: "texts" }, ...about.fitting.map(scored))));
    else if (about.no_captions) this.fits.append(el("p", { className: "line" }, about.no_captions));
    this.near.replaceChildren(...(about.near ?? []).map(([other, name]) => {
      const picture = el("img", { src: this.cards.data.base + encodeURIComponent(other),
        alt: name });
      picture.onload = () => dress(picture);
      const open = el("a", { href: address((a) => a.set("show", other)), title: name }, picture);
      open.onclick = (event) => { if (plain(event)) this.open(other); };
      return open;
    }));
    if (about.film) this.copy.before(this.player(about.film));
    this.copy.onclick = async () => {
      await navigator.clipboard.writeText(about.path);
      this.copy.textContent = "Copied";
    };
  }

  // A film takes the place of the still, and plays from there.
  player({ address: film, seconds }) {
    const at = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
    const play = el("button", { type: "button", title: `Play the film from ${at}` }, `Play from ${at}`);
    play.onclick = () => {
      const moving = el("video", { src: `${film}#t=${seconds}`, controls: true, autoplay: true });
      moving.onerror = () => moving.replaceWith(el("p", { role: "alert" },
        "This browser cannot play this sort of film; copy its path and open it in a player."));
      this.box.querySelector(".stage img")?.replaceWith(moving);
    };
    return play;
  }
}

const button = (sign, title, act, disabled = false) => {
  const made = el("button", { type: "button", onclick: act, disabled, title }, sign);
  made.setAttribute("aria-label", title);
  return made;
};

const scored = ([text, score]) =>
  el("li", {}, el("span", {}, score === null ? "" : score.toFixed(3)), text);

const plain = (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return false;
  event.preventDefault();
  return true;
};

const link = (sign, title, change, page) => {
  const base = document.querySelector("base")?.getAttribute("href") ?? "";
  const made = el("a", { title, href: "#" }, sign);
  made.setAttribute("aria-label", title);
  const where = () => address(change, base.replace(/\/$/, "") + page);
  made.onpointerenter = made.onfocus = () => { made.href = where(); };
  made.onclick = (event) => { if (plain(event)) go(where); };
  return made;
};

// A drawing stands on white, whole; a photograph fills its place.
const dress = (picture) => {
  const canvas = dress.canvas ??= el("canvas", { width: 8, height: 8 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.clearRect(0, 0, 8, 8);
  context.drawImage(picture, 0, 0, 8, 8);
  const pixels = context.getImageData(0, 0, 8, 8).data;
  const corners = [0, 7, 56, 63].map((at) => [...pixels.slice(4 * at, 4 * at + 4)]);
  const bare = corners.filter(([r, g, b, a]) => a < 250 || Math.min(r, g, b) > 240);
  picture.classList.toggle("drawn", bare.length > 1);
};

export default function ({ data, parentElement, setTriggerValue }) {
  const cards = (parentElement.cards ??= new Cards(parentElement));
  cards.update(data, setTriggerValue);
  return () => {
    cards.remove();
    delete parentElement.cards;
  };
}
