/* ---- The page of one sentence: all maps small, one of them large, of words or of tokens. ---- */

const page = document.querySelector("main");
const content = known(page);
const level = page.querySelector(".level");
const condition = page.querySelector(".condition");
const views = page.querySelector(".views");
let current = null; // address of the head that is large
let chosen = {}; // by level and kind of attention, the words that were kept last

const kindOf = (address) => address.split(".")[0];

/** The tokens, or the words, that heads of a kind look from and at. */
function sidesOf(address, of) {
  const { queries, keys, causal } = content.sides[kindOf(address)];
  const [from, at] = [content.texts[queries], content.texts[keys]];
  const marks = (side) => side[of].map((_, i) => Boolean(side.special[of === "words" ? side.wordOf.indexOf(i) : i]));
  return { queries: from[of], keys: at[of], specialQueries: marks(from), specialKeys: marks(at), self: queries === keys, causal };
}

/** Weights between words: the sum over the tokens of a key, the mean over those of a query. */
function betweenWords(weights, address) {
  const { queries, keys } = content.sides[kindOf(address)];
  const [from, at] = [content.texts[queries], content.texts[keys]];
  const width = at.words.length;
  const found = new Float32Array(from.words.length * width);
  const tokens = new Float32Array(from.words.length);
  for (const word of from.wordOf) tokens[word] += 1;
  from.wordOf.forEach((row, query) =>
    at.wordOf.forEach((column, key) => (found[row * width + column] += weights[query * at.wordOf.length + key] / tokens[row])),
  );
  return found;
}

/** The map of a head under a condition, between `words` or `tokens`. */
async function mapOf(address, number, of) {
  const stored = new Uint16Array(await unpacked(content.maps[address][number]));
  const sides = content.sides[kindOf(address)];
  const [rows, columns] = [sides.queries, sides.keys].map((side) => content.texts[side].tokens.length);
  const [weights, entropies] = [stored.subarray(0, rows * columns), stored.subarray(rows * columns)];
  const shares = Float32Array.from(weights, (steps) => steps / content.steps);
  const own = of === "words" ? entropies.subarray(rows) : entropies.subarray(0, rows);
  const entropy = Float32Array.from(own, (thousandths) => thousandths / 1000);
  return { ...sidesOf(address, of), entropy, weights: of === "words" ? betweenWords(shares, address) : shares };
}

/** Show a head large, in every condition side by side; a word that is chosen in one is chosen in all. */
async function showLarge(address) {
  current = address;
  const of = level.value;
  const maps = await Promise.all(content.names.map((_, number) => mapOf(address, number, of)));
  if (current !== address || level.value !== of) return; // another one was asked for meanwhile
  page.querySelector("#head-name").textContent = nameOf(page, address);
  page.querySelector(".head-numbers").textContent = numbersOf(address);
  const place = `${of} ${kindOf(address)}`;
  const follow = (next, keep) => {
    if (keep) chosen[place] = next;
    for (const view of shown) view.show(next, keep);
  };
  const width = views.clientWidth / (views.clientWidth > 620 ? maps.length : 1) - 20;
  const shown = maps.map((map) => attentionView(map, { width, chosen: chosen[place], follow }));
  const titled = ({ element }, i) => make("div", {}, ...(maps.length > 1 ? [make("h3", {}, content.names[i])] : []), element);
  views.replaceChildren(...shown.map(titled));
  for (const button of page.querySelectorAll("#overview [data-open]")) {
    if (button.dataset.open === address) button.ariaCurrent = "true";
    else button.removeAttribute("aria-current");
  }
}

/** The row of the table of heads as a sentence. */
function numbersOf(address) {
  const [, ...cells] = page.querySelector(`[data-row="${CSS.escape(address)}"]`).cells;
  const names = [...page.querySelector("#numbers thead tr").cells].slice(1);
  const said = cells.map((cell, i) => `${names[i].dataset.label} ${words(cell)} ${names[i].dataset.unit}`.trim());
  return [address, ...said].join(" · ");
}

/** Draw the small maps one after the other, without keeping the page from answering. */
async function drawSmall(number) {
  for (const button of page.querySelectorAll("#overview [data-open]")) {
    const map = await mapOf(button.dataset.open, number, "words");
    if (Number(condition?.value ?? 0) !== number) return;
    const image = mapImage(map);
    const [canvas, side] = [button.querySelector("canvas"), Math.min(96, Math.max(map.queries.length, map.keys.length))];
    Object.assign(canvas, { width: side, height: side });
    canvas.getContext("2d").imageSmoothingEnabled = side > map.keys.length;
    canvas.getContext("2d").drawImage(image, 0, 0, side, side);
  }
}

/** Open a head; the address of the page names it. */
function openHead(_, address) {
  history.pushState(null, "", `#${address}`);
  showLarge(address);
}

function step(by) {
  const next = content.heads[content.heads.indexOf(current) + by];
  if (!next) return;
  history.replaceState(null, "", `#${next}`);
  showLarge(next);
}

/** Show the head that the address of the page names, else the first. */
function followAddress() {
  const named = headsCalled(decodeURIComponent(location.hash.slice(1))).filter(({ exact }) => exact)[0];
  showLarge(named?.address ?? current ?? content.heads[0]);
}

async function copyMap() {
  const maps = await Promise.all(content.names.map((_, number) => mapOf(current, number, level.value)));
  const field = (text) => `"${String(text).replaceAll('"', '""')}"`;
  const { queries, keys } = maps[0];
  const lines = queries.flatMap((query, row) =>
    keys.map((key, column) => [row, field(query), column, field(key), ...maps.map((map) => map.weights[row * keys.length + column].toFixed(5))].join(",")),
  );
  const names = maps.length > 1 ? content.names.map(field) : ["weight"];
  copy([["query", "query_text", "key", "key_text", ...names].join(","), ...lines].join("\n") + "\n", "Map");
}

for (const part of document.querySelectorAll(".scripted")) part.hidden = false;
document.body.classList.add("scripts");
page.addEventListener("click", (event) => {
  const opened = event.target.closest("[data-open]");
  if (opened) openHead(page, opened.dataset.open);
});
for (const group of page.querySelectorAll("#overview .scroll")) rove(group, "[data-open]");
for (const row of page.querySelectorAll("[data-row]")) {
  const name = row.cells[0];
  name.replaceChildren(make("button", { type: "button", className: "head" }, name.textContent));
  name.firstChild.dataset.open = row.dataset.row;
}
page.querySelector(".before").addEventListener("click", () => step(-1));
page.querySelector(".after").addEventListener("click", () => step(1));
page.querySelector(".copy-link").addEventListener("click", () => copy(`${location.href.split("#")[0]}#${current}`, "Link"));
page.querySelector(".copy-map").addEventListener("click", copyMap);
level.addEventListener("change", () => showLarge(current));
condition?.addEventListener("change", () => drawSmall(Number(condition.value)));
addEventListener("popstate", followAddress);
addEventListener("hashchange", followAddress);
followAddress();
drawSmall(0);
