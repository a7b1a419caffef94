/* ---- What a head looks at in one text: its words, shaded by weights and with their numbers, and a picture of all. ---- */

/**
 * The attention weights of one head.
 * @typedef {object} AttentionMap
 * @property {string[]} queries the words that look
 * @property {string[]} keys the words that are looked at
 * @property {boolean[]} specialQueries whether a query is a special token
 * @property {boolean[]} specialKeys whether a key is one
 * @property {boolean} self whether queries and keys are the same words
 * @property {boolean} causal whether no word looks at a later one
 * @property {ArrayLike<number>} weights row after row, a row for each query
 * @property {ArrayLike<number>} [entropy] of each query, nats; from the weights where it is not given
 */

const LEAST_SHOWN = 0.005; // below it nothing is left in two decimals

/** `.31`, `1.00`: where there is little room. */
const brief = (weight) => weight.toFixed(2).replace(/^0/, "");
const sum = (numbers) => numbers.reduce((before, number) => before + number, 0);
const rowOf = ({ weights, keys }, query) => Array.from(keys, (_, key) => weights[query * keys.length + key]);
const columnOf = ({ weights, keys, queries }, key) => queries.map((_, query) => weights[query * keys.length + key]);
const firstWord = (special) => Math.max(0, special.indexOf(false));

/** What shades are relative to: the largest weight on a word, as special tokens often take nearly all. */
function brightest(weights, special) {
  const most = (numbers) => numbers.reduce((a, b) => Math.max(a, b), 0);
  return most(weights.filter((_, i) => !special[i])) || most(weights) || 1;
}

/** What stands beside a row: on what most of it goes, how spread it is, and how much of it special tokens get. */
function aboutRow(map, query, row) {
  const first = row.indexOf(Math.max(...row));
  const entropy = map.entropy?.[query] ?? -sum(row.map((weight) => (weight > 0 ? weight * Math.log(weight) : 0)));
  const seen = map.causal ? query + 1 : row.length;
  const special = map.specialKeys.includes(true) ? [`${sum(row.filter((_, key) => map.specialKeys[key])).toFixed(2)} on special tokens`] : [];
  const parts = [`${row[first].toFixed(2)} on “${map.keys[first]}”, the largest`, `entropy ${entropy.toFixed(2)} of at most ${Math.log(seen).toFixed(2)} nats`];
  return [...parts, ...special].join(" · ");
}

/** A line of words, each a button with its number below it; `choose` is told which, and whether to keep it. */
function wordLine(words, special, label, choose) {
  const line = make("div", { className: "words", role: "group", ariaLabel: label });
  const chips = words.map((word, i) => {
    const chip = make("button", { type: "button", className: special[i] ? "special" : "" }, make("span", {}, word), make("small", {}));
    chip.addEventListener("click", () => choose(i, true));
    chip.addEventListener("focus", () => choose(i, true));
    chip.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && choose(i, false));
    return chip;
  });
  line.append(...chips);
  line.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // these lead along the text, also from line to line
    chips[chips.indexOf(document.activeElement) + by]?.focus();
  });
  rove(line, "button");
  return { line, chips };
}

/** Shade the words of a line by their weights, write these below them, and mark the one that is chosen. */
function shade(chips, weights, most, chosen) {
  chips.forEach((chip, i) => {
    chip.style.setProperty("--shade", Math.min(1, weights[i] / most).toFixed(3));
    chip.lastChild.textContent = weights[i] >= LEAST_SHOWN ? brief(weights[i]) : "·";
    chip.ariaPressed = String(i === chosen);
  });
}

/** The numbers of the chosen words as tables that sort; one where queries and keys are the same words. */
function numberTables({ queries, keys, self }, { query, key }, row, column) {
  const number = (weight) => weight.toFixed(3);
  const table = (caption, names, ...columns) => {
    const rows = names.map((name, i) => [`${i + 1} ${name}`, ...columns.map(([, weights]) => number(weights[i]))]);
    const made = smallTable(caption, ["word", ...columns.map(([header]) => header)], rows, "weights");
    sortable(made);
    return make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: caption }, made);
  };
  const looks = [`“${queries[query]}” looks at it`, row];
  const looked = [`it looks at “${keys[key]}”`, column];
  if (self) return [table(`Weights from and to “${queries[query]}”`, keys, looks, looked)];
  return [table(`Weights from “${queries[query]}”`, keys, looks), table(`Weights to “${keys[key]}”`, queries, looked)];
}

/**
 * A map to look at. A pointer over a word shows its row and column; a click, a tap or the keyboard keeps them.
 * @param {AttentionMap} map what is shown
 * @param {object} options `width`: room for the picture in pixels; `chosen`: what is chosen first; `follow`: told of every
 *   choice, so that two maps go together
 * @returns the element, and `show` to choose from elsewhere
 */
function attentionView(map, { width = 560, chosen, follow = () => {} } = {}) {
  let kept = chosen ?? { query: firstWord(map.specialQueries), key: firstWord(map.specialKeys) };
  let shown = kept;
  const looks = make("p", { className: "about" });
  const looked = make("p", { className: "about" });
  const numbers = make("details", {}, make("summary", {}, "These numbers as a table"));
  const fill = () => {
    const found = numberTables(map, shown, rowOf(map, shown.query), columnOf(map, shown.key));
    numbers.replaceChildren(numbers.firstChild, make("div", { className: "tables" }, ...found));
  };
  const show = (next, keep = false) => {
    shown = next;
    if (keep) kept = next;
    const [row, column] = [rowOf(map, shown.query), columnOf(map, shown.key)];
    looks.replaceChildren("Where ", make("b", {}, map.queries[shown.query]), ` looks: ${aboutRow(map, shown.query, row)}`);
    looked.replaceChildren("What looks at ", make("b", {}, map.keys[shown.key]), `: ${(sum(column) / column.length).toFixed(2)} of all attention goes to it`);
    shade(keys.chips, row, brightest(row, map.specialKeys), map.self ? shown.query : shown.key);
    shade(queries.chips, column, brightest(column, map.specialQueries), shown.query);
    picture.point(shown);
    if (numbers.open) fill();
  };
  const choose = (part, keep) => {
    const both = map.self && !("query" in part && "key" in part);
    const [one] = Object.values(part);
    show(both ? { query: one, key: one } : { ...shown, ...part }, keep);
    follow(shown, keep);
  };
  const keys = wordLine(map.keys, map.specialKeys, "Words that are looked at", (key, keep) => choose({ key }, keep));
  const queries = wordLine(map.queries, map.specialQueries, "Words that look", (query, keep) => choose({ query }, keep));
  const picture = mapPicture(map, width, choose);
  numbers.addEventListener("toggle", () => numbers.open && fill());
  const element = make("div", { className: "attention" }, looks, keys.line, looked, queries.line, picture.element, numbers);
  for (const part of [keys.line, queries.line, picture.element]) part.addEventListener("pointerleave", () => choose(kept, false));
  show(kept);
  return { element, show };
}
