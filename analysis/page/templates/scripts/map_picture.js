/* ---- The picture of a map: a row for each word that looks, a column for each that is looked at. ---- */

const SVG = "http://www.w3.org/2000/svg";
const CELL = { most: 18, least: 6, named: 11 }; // pixels; names stand at as many rows as have room for them
const LETTERS = { most: 13, width: 6.3 };
const BLUE = [52, 130, 198]; // reads on a light and on a dark ground

/** An element of a drawing: draw("rect", { x: 1 }). */
function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const clipped = (word) => (word.length > LETTERS.most ? `${word.slice(0, LETTERS.most - 1)}…` : word);

/** Weights as an image, a pixel each: the larger, the darker. */
function mapImage({ weights, queries, keys, specialKeys }) {
  const canvas = make("canvas", { width: keys.length, height: queries.length });
  const context = canvas.getContext("2d");
  const image = context.createImageData(keys.length, queries.length);
  let most = 0;
  for (let i = 0; i < weights.length; i += 1) if (!specialKeys[i % keys.length]) most = Math.max(most, weights[i]);
  for (let i = 0; i < weights.length; i += 1) {
    image.data.set(BLUE, 4 * i);
    image.data[4 * i + 3] = 255 * Math.sqrt(Math.min(1, weights[i] / (most || 1))); // small ones can be seen, too
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * A map as a picture with names.
 * @param {AttentionMap} map what is shown
 * @param {number} width pixels that there are for it; what is wider scrolls
 * @param {(chosen: {query: number, key: number}, keep: boolean) => void} choose told where the pointer is, or taps
 */
function mapPicture(map, width, choose) {
  const { queries, keys, weights } = map;
  const room = (words) => 10 + LETTERS.width * Math.min(LETTERS.most, Math.max(...words.map((word) => word.length)));
  const [left, top] = [room(queries), room(keys)];
  const cell = Math.max(CELL.least, Math.min(CELL.most, Math.floor((width - left) / keys.length)));
  const every = Math.ceil(CELL.named / cell);
  const [wide, high] = [cell * keys.length, cell * queries.length];
  const names = (words, place) => words.flatMap((word, i) => (i % every ? [] : [draw("text", place((i + 0.5) * cell), clipped(word))]));
  const image = draw("image", { x: left, y: top, width: wide, height: high, preserveAspectRatio: "none" });
  image.setAttribute("href", mapImage(map).toDataURL());
  const across = draw("rect", { class: "line", x: left, width: wide, height: cell });
  const down = draw("rect", { class: "line", y: top, width: cell, height: high });
  const svg = draw(
    "svg",
    { width: left + wide + 2, height: top + high + 2, role: "img", "aria-label": "Weights: rows look, columns are looked at" },
    ...names(queries, (y) => ({ x: left - 4, y: top + y + 4, "text-anchor": "end" })),
    ...names(keys, (x) => ({ transform: `translate(${left + x + 4} ${top - 4}) rotate(-90)` })),
    draw("rect", { class: "frame", x: left, y: top, width: wide, height: high }),
    image,
    across,
    down,
  );
  const at = make("figcaption", {});
  const point = ({ query, key }) => {
    across.setAttribute("y", top + query * cell);
    down.setAttribute("x", left + key * cell);
    at.replaceChildren(make("b", {}, queries[query]), " → ", make("b", {}, keys[key]), `: ${weights[query * keys.length + key].toFixed(3)}`);
  };
  const under = (event, keep) => {
    const box = svg.getBoundingClientRect();
    const query = Math.floor((event.clientY - box.top - top) / cell);
    const key = Math.floor((event.clientX - box.left - left) / cell);
    if (queries[query] !== undefined && keys[key] !== undefined) choose({ query, key }, keep);
  };
  svg.addEventListener("pointermove", (event) => event.pointerType === "mouse" && under(event, false));
  svg.addEventListener("click", (event) => under(event, true));
  const box = make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "The whole map" }, svg);
  return { element: make("figure", { className: "map" }, box, at), point };
}
