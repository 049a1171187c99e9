// Of each text that can be seen: its contrast with what lies under it (WCAG 2.2, 1.4.3), and of each
// thing that can be focused the contrast of its ring (1.4.11). Returns those that have too little.
const numbers = (colour) => {
  const context = numbers.context ??=
    new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = ([r, g, b, a], under, opacity = 1) =>
  [r, g, b].map((value, n) => value * a * opacity + under[n] * (1 - a * opacity));
const luminance = (colour) => colour.map((value) => value / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
const contrast = (one, other) => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
const line = (element) => {
  const found = [];
  for (let at = element; at; at = at.parentElement) found.unshift(at);
  return found;
};
const ground = (element, box = element.getBoundingClientRect()) => {
  let colour = [255, 255, 255], opacity = 1;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  for (const at of line(element)) {
    const under = at.getBoundingClientRect();
    const isUnder = x >= under.left && x <= under.right && y >= under.top && y <= under.bottom;
    const style = getComputedStyle(at);
    opacity *= style.opacity;
    if (isUnder || at === document.body)
      colour = over(numbers(style.backgroundColor), colour, opacity);
  }
  return [colour, opacity];
};
const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
  && !element.closest(":disabled, [aria-disabled=true], canvas, .st-key-unseen, [aria-hidden=true]");
const bad = [];
const judge = (what, ink, element, least) => {
  const [under, opacity] = ground(element);
  const has = contrast(over(numbers(ink), under, opacity), under);
  if (has < least - 0.005) bad.push(`${has.toFixed(2)} ${what} <${element.tagName.toLowerCase()} ` +
    `class="${element.getAttribute("class") ?? ""}"> ${ink} on ${under.map(Math.round)}`);
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const text = texts.currentNode.data.trim(), element = texts.currentNode.parentElement;
  if (!text || element.closest("style, script, title, noscript") || !seen(element)) continue;
  const style = getComputedStyle(element), size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  const icon = style.fontFamily.includes("Material");
  const ink = element.closest("svg") ? style.fill : style.color;
  judge(text.slice(0, 40), ink, element, large || icon ? 3 : 4.5);
}
for (const field of document.querySelectorAll("input[placeholder], textarea[placeholder]"))
  if (seen(field)) judge(field.placeholder, getComputedStyle(field, "::placeholder").color, field, 4.5);
const focusable = "a[href], button, input, textarea, [tabindex='0'], [role=slider]";
const inside = document.querySelector("dialog[open]") ?? document.body;
const ring = (element) => Math.max(1, ...line(element).slice(-6).flatMap((at) => {
  const style = getComputedStyle(at), [under] = ground(at.parentElement ?? at);
  return [
    style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1 ? "" : style.outlineColor,
    style.boxShadow.match(/^(rgba?|color|oklch|#)[^)]*\)/)?.[0] ?? "",
    parseFloat(style.borderTopWidth) >= 1 ? style.borderTopColor : "",
  ].filter(Boolean).map((colour) => contrast(over(numbers(colour), under), under));
}));
for (const element of [...inside.querySelectorAll(focusable)].filter(seen).slice(0, 60)) {
  element.focus({ focusVisible: true, preventScroll: true });
  for (let n = 0; n < 40 && ring(element) < 3; n++) // the page draws some of them a moment later
    await new Promise((done) => setTimeout(done, 50));
  const best = ring(element);
  if (best < 3) bad.push(`${best.toFixed(2)} focus of <${element.tagName.toLowerCase()}> ` +
    `${element.ariaLabel ?? element.innerText?.slice(0, 30)}`);
}
document.activeElement?.blur();
return [...new Set(bad)];
