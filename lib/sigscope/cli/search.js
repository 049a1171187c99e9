"use strict";
// SECTIONS: [address, title, heading, text] of each section of the report
const field = document.getElementById("search"), list = document.getElementById("found");
const inLower = SECTIONS.map((row) => row.map((text) => text.toLowerCase()));

field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\s+/).filter((word) => word.length > 1);
  const places = inLower.map((row, number) => ({number, score: words.reduce((sum, word) => {
    const [, title, heading, text] = row;
    const here = 8 * heading.includes(word) + 4 * title.includes(word) + text.includes(word);
    return here && sum >= 0 ? sum + here : -1;
  }, 0)})).filter((place) => words.length && place.score > 0);
  places.sort((one, other) => other.score - one.score);
  list.replaceChildren(...places.slice(0, 12).map(({number}) => {
    const [address, title, heading, text] = SECTIONS[number];
    const link = document.createElement("a");
    const at = Math.max(0, inLower[number][3].indexOf(words[0]) - 40);
    link.href = address;
    link.textContent = heading === title ? title : `${title}: ${heading}`;
    const entry = document.createElement("li"), near = document.createElement("small");
    near.textContent = text.slice(at, at + 110);
    entry.append(link, near);
    return entry;
  }));
  if (words.length && !places.length) list.textContent = "Nothing has all of these words.";
});

if (matchMedia("(max-width: 800px)").matches) document.querySelector("nav details").open = false;
