// Draws a figure of the report, on a phone too.
const isTouched = matchMedia("(pointer: coarse)").matches; // a finger moves the page, not the axes
const NARROW = 600, SIDES = 100, LETTER = 7; // pixels: of a phone's figure, beside it, of a letter
const wrapped = (text, most) => text.split(" ").reduce((lines, word) => {
  const isFull = lines.split("<br>").pop().length + word.length >= most;
  return lines + (isFull ? "<br>" : " ") + word;
});
const fit = (axis, width) => {
  delete axis.tickangle; // ticks that have room beside each other elsewhere may have none here
  if (axis.title?.text) axis.title.text = wrapped(axis.title.text, (width - SIDES) / LETTER);
};
const shrink = (title, width) => { // there is one line for it
  const size = Math.min(title.font?.size ?? 17, 1.8 * width / title.text.length);
  title.font = {...title.font, size};
};
const draw = (name, data, layout, config) => {
  const width = document.getElementById(name).clientWidth;
  const across = Object.keys(layout).filter(key => key.startsWith("xaxis"));
  if (width < NARROW) across.forEach(key => fit(layout[key], width));
  if (width < NARROW && layout.title?.text) shrink(layout.title, width);
  if (isTouched) layout.dragmode = false;
  Plotly.newPlot(name, data, layout, config);
};
