// What scripts add to the page: they find, copy, sort, save and compare. Without them it is whole but for these.
"use strict";

/** An element with properties and children: make("p", { className: "note" }, "text", child). */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** `1 example`, `2 examples`. */
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** A difference with its sign and so many decimals; what rounds to nothing has no sign. */
function signed(number, digits) {
  const size = Math.abs(number).toFixed(digits);
  return Number(size) ? (number < 0 ? "−" : "+") + size : size;
}

/** ` (−0.80 to −0.21)`; nothing where there is no interval. */
const interval = (low, high, digits) => (low === null ? "" : ` (${signed(low, digits)} to ${signed(high, digits)})`);

const spoken = make("div", { className: "spoken", role: "status" });

/** Say a few words to who looks, for a moment, and to who listens. */
function say(words) {
  (document.querySelector("dialog[open]") ?? document.body).append(spoken); // beside a dialog nothing is heard
  spoken.textContent = words;
  spoken.classList.add("seen");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => spoken.classList.remove("seen"), 2500);
}

/** A small table, from rows of texts; the first of each is its name. */
function smallTable(caption, header, rows, className) {
  const name = (text, i) => make("th", { scope: "col", className: i ? "n" : "" }, text);
  const cell = (text, i) => (i ? make("td", { className: "n" }, text) : make("th", { scope: "row" }, text));
  const head = make("tr", {}, ...header.map(name));
  const body = rows.map((row) => make("tr", {}, ...row.map(cell)));
  return make("table", { className }, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...body));
}
