/* ---- The attention of a head in its dialog: roles, offsets, statistics, and its maps of a few sentences. ---- */

/** What is known of the attention of a subject's heads (analysis/page/sections/attention/head_looks.py says its form). */
function attentionOf(section) {
  const element = section.querySelector("script.attention-data");
  section.attention ??= element && JSON.parse(element.textContent);
  return section.attention;
}

/** A reading in the dialog: what a head does on some data. */
function readingPart(attention, reading, address) {
  if (!reading.values[address]) return [];
  const roles = (reading.roles[address] ?? []).map(([title, rule, limit]) => make("li", {}, make("b", {}, title), `: ${rule}${limit === null ? "" : `, its limit is ${limit.toFixed(2)}`}`));
  const none = make("p", { className: "note" }, "No role: no rule is met for sure.");
  return [
    make("section", {}, make("h3", {}, `What it looks at: ${reading.label}`), roles.length ? make("ul", { className: "roles" }, ...roles) : none, ...offsetBars(reading.offsets[address]), ...numbersPart(attention, reading, address), ...mapsPart(attention, reading, address)),
  ];
}

/** Where the largest weight is, seen from the word that looks: a bar for each offset. */
function offsetBars(shares) {
  if (!shares) return [];
  const names = [...shares.keys()].map((i) => (i === shares.length - 1 ? "farther" : signed(i - 5, 0)));
  const most = Math.max(...shares);
  const bars = shares.map((share, i) => {
    const bar = make("i", {});
    bar.style.height = `${(3.2 * share) / (most || 1)}rem`;
    return make("span", {}, make("small", {}, share >= 5 ? brief(share / 1000) : "·"), bar, make("small", {}, names[i]));
  });
  const said = shares.map((share, i) => `${names[i]}: ${(share / 1000).toFixed(2)}`).join(", ");
  const chart = make("div", { className: "offsets", role: "img", ariaLabel: `Share of tokens by the offset of their largest weight: ${said}` }, ...bars);
  return [make("p", { className: "about" }, "Where the largest weight of a token is, in tokens from it (share of tokens)"), chart];
}

function numbersPart(attention, { statistics, values }, address) {
  const rows = statistics.flatMap(([label, unit, digits], i) => {
    if (!values[address][i]) return [];
    const [value, low, high] = values[address][i].map((number) => number?.toFixed(digits));
    return [[label, `${value}${unit === "share" ? "" : ` ${unit}`}`, low === undefined ? "–" : `${low} to ${high}`]];
  });
  const table = smallTable("means over all tokens; shares are of a token’s attention", ["", "mean", `${attention.percent} % interval`], rows, "looks");
  return [make("details", {}, make("summary", {}, "Its numbers"), table)];
}

/** The maps of the sentences, unpacked when the fold is opened; another sentence is chosen from a list. */
function mapsPart(attention, reading, address) {
  if (!reading.maps[address]) return [];
  const lines = reading.sentences.map(({ words }, i) => make("option", { value: i }, `${i + 1}. ${words.join(" ").slice(0, 70)}`));
  const choice = make("select", {}, ...lines);
  const place = make("div", {});
  const less = reading.kept > reading.sentences.length ? ` (${reading.kept} are stored)` : "";
  const note = make("p", { className: "note" }, "Weights between words: to a word the sum over its tokens, from it the mean; shown to 0.004.");
  const fold = make("details", { className: "its-maps" }, make("summary", {}, `Its maps of ${counted(reading.sentences.length, "sentence")}${less}`), make("label", {}, "sentence ", choice), place, note);
  const show = async () => {
    const map = await sentenceMap(attention, reading, address, Number(choice.value));
    place.replaceChildren(attentionView(map, { width: Math.min(620, dialog.clientWidth - 50) }).element);
  };
  fold.addEventListener("toggle", () => fold.open && !place.firstChild && show());
  choice.addEventListener("change", show);
  return [fold];
}

/** The map of a head on one of the sentences. */
async function sentenceMap(attention, reading, address, number) {
  const kind = address.split(".")[0];
  const sides = ({ words, special, targetWords = words, targetSpecial = special }) => {
    const [source, target] = [[words, special], [targetWords, targetSpecial]];
    return { queries: kind === "encoder_self" ? source : target, keys: kind === "decoder_self" ? target : source };
  };
  const bytes = new Uint8Array(await unpacked(reading.maps[address]));
  const sizes = reading.sentences.map((sentence) => Object.values(sides(sentence)).reduce((size, [words]) => size * words.length, 1));
  const start = sum(sizes.slice(0, number));
  const { queries, keys } = sides(reading.sentences[number]);
  return {
    queries: queries[0],
    keys: keys[0],
    specialQueries: queries[1].map(Boolean),
    specialKeys: keys[1].map(Boolean),
    self: kind !== "cross",
    causal: kind === "decoder_self",
    weights: Float32Array.from(bytes.subarray(start, start + sizes[number]), (steps) => steps / attention.steps),
  };
}

headParts.push((section, address) => {
  const attention = attentionOf(section);
  return (attention?.readings ?? []).flatMap((reading) => readingPart(attention, reading, address));
});
