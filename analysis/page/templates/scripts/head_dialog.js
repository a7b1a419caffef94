/* ---- The dialog of a head, or of a group, layer or MLP: its effects, split by what is known of the examples, its heads
   one by one where it has any, and the examples that changed. ---- */

const dialog = document.querySelector("dialog");
let shown = null; // { section, address } of the head in it
const headParts = []; // further parts of the dialog: each makes its elements from a section and an address

const PARTS_NOTE =
  "Intervals of parts are a jackknife over groups of examples, or exact where few examples flip. " +
  "They are not corrected for the number of parts.";

/** Fill the dialog with a head, and open it. */
function showHead(section, address) {
  const subject = known(section);
  shown = { section, address };
  dialog.querySelector("#head-name").textContent = nameOf(section, address);
  dialog.querySelector(".of").replaceChildren(`${address} of ${section.dataset.label}`, ...partOf(section, address));
  dialog.querySelector(".content").replaceChildren(
    ...subject.domains.flatMap((domain) => (domain.effects[address] ? [domainPart(subject, domain, address)] : [])),
    ...headParts.flatMap((part) => part(section, address)),
  );
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

/** Where a head belongs: links to its group and its layer, where these were removed whole. */
function partOf(section, address) {
  const own = Object.entries(known(section).units).filter(([, [, , heads]]) => heads.includes(address));
  return own.length ? [", part of ", ...own.flatMap(([unit], i) => [...(i ? [", "] : []), linkToUnit(section, unit)])] : [];
}

/** A button that shows another head or unit in the dialog. */
function linkToUnit(section, address) {
  const button = make("button", { type: "button", className: "head" }, nameOf(section, address));
  button.addEventListener("click", () => {
    history.replaceState(null, "", linkTo(section, address));
    showHead(section, address);
  });
  return button;
}

function domainPart(subject, domain, address) {
  const [effect, low, high, significant, cite, how] = domain.effects[address];
  const number = make("b", {}, `${signed(effect, subject.digits)}${significant ? "*" : ""} ${subject.unit}`);
  if (cite) citable(Object.assign(number, { className: "cited" }), cite, how);
  const splits = domain.splits.map((split) => splitTable(subject, split, address));
  return make(
    "section",
    {},
    make("h3", {}, domain.label),
    make("p", { className: "effect" }, "effect ", number, interval(low, high, subject.digits)),
    make("div", { className: "tables" }, ...memberTable(subject, domain, address), ...splits, ...flipTable(domain, address)),
    ...(splits.length ? [make("p", { className: "note" }, PARTS_NOTE)] : []),
    ...examplesOf(subject, domain, address),
  );
}

/** The heads of a unit, each removed alone; their sum, and what the whole costs beyond it. */
function memberTable(subject, domain, address) {
  const heads = (subject.units[address]?.[2] ?? []).filter((head) => domain.effects[head]);
  if (!heads.length || !subject.heads.length) return [];
  const { section } = shown;
  const row = (name, [effect, low, high, significant]) => [
    name,
    `${signed(effect, subject.digits)}${significant ? "*" : ""}`,
    low === null ? "–" : [low, high].map((end) => signed(end, subject.digits)).join(" to "),
  ];
  const rows = heads.map((head) => row(linkToUnit(section, head), domain.effects[head]));
  const sums = domain.sums[address];
  if (sums) {
    const [sum, excess, low, high, significant] = sums;
    rows.push(row("added up", [sum, null, null, 0]), row("whole less sum", [excess, low, high, significant]));
  }
  const header = ["head", `effect, ${subject.unit}`, `${subject.percent} % interval`];
  return [smallTable("its heads one by one", header, rows, "split members")];
}

/** The effect on each part of the examples. */
function splitTable(subject, { by, values, of, effects }, address) {
  const title = `by ${by}${of > values.length ? `, the ${values.length} most frequent of ${of}` : ""}`;
  const rows = values.map(([name, count], i) => {
    const [effect, low, high] = effects[address][i];
    const ends = [low, high].map((end) => end !== null && signed(end, subject.digits));
    return [name, count.toLocaleString("en"), signed(effect, subject.digits), low === null ? "–" : ends.join(" to ")];
  });
  return smallTable(title, [by, "n", `effect, ${subject.unit}`, `${subject.percent} % interval`], rows, "split");
}

/** What the answers that changed became: rows are answers with every head, columns those without it. */
function flipTable(domain, address) {
  const flips = domain.flips[address] ?? [];
  if (!flips.length) return [];
  const labels = domain.labels.filter((_, i) => flips.some(([was, now]) => was === i || now === i));
  const counts = new Map(flips.map(([was, now, count]) => [`${domain.labels[was]} ${domain.labels[now]}`, count]));
  const count = (from, to) => (from === to ? "" : String(counts.get(`${from} ${to}`) ?? 0));
  const rows = labels.map((from) => [from, ...labels.map((to) => count(from, to))]);
  return [smallTable("answers that changed, and to what", ["with every head ↓  without it →", ...labels], rows, "flips")];
}

function examplesOf(subject, domain, address) {
  const [lost, gained, other, changes] = domain.heads[address] ?? [0, 0, 0, []];
  const all = lost + gained + other;
  const otherwise = other ? `, ${other} ${subject.labelled ? "wrong in another way" : "otherwise at the same score"}` : "";
  const words = make("p", {}, `${counted(lost, "example")} came out worse without it, ${gained} better${otherwise}.`);
  if (!changes.length) return [words];
  const title = changes.length < all ? `The ${changes.length} largest of ${all}` : all === 1 ? "The one" : `All ${all}`;
  const list = make("ol", {}, ...changes.map((one) => change(subject, domain, one)));
  return [words, make("details", { open: changes.length < 4 }, make("summary", {}, title), list)];
}

/** One example, what it came to with every head, and what without this one. */
function change(subject, domain, [text, before, after, was, now, ...likely]) {
  const texts = domain.texts[text].slice(0, -1);
  const target = domain.texts[text].at(-1);
  const answer = (index) => (index < 0 ? "" : domain.answers[index]);
  const score = (number) =>
    subject.labelled ? (number ? "right" : "wrong") : `${number.toFixed(subject.digits).replace("-", "−")} ${subject.score_unit}`;
  const came = (index, number) => (answer(index) && !likely.length ? `${answer(index)} (${score(number)})` : score(number));
  const lines = [
    ...texts.slice(0, likely.length ? 1 : undefined).map((content, i) => [domain.names[i] ?? "text", content]),
    ...(target && !likely.length ? [["gold", target]] : []),
    ["every head", came(was, before)],
    ["without it", came(now, after), after < before ? "worse" : "better"],
  ];
  const list = lines.flatMap(([name, content, className = ""]) => [make("dt", {}, name), make("dd", { className }, content)]);
  return make("li", {}, make("dl", {}, ...list), ...(likely.length ? [choices(texts.slice(1), Number(target), likely)] : []));
}

/** What a model chooses from, how likely it finds each with every head and without this one, and which is right. */
function choices(texts, right, [before, after]) {
  const said = (numbers, i) =>
    `${numbers[i].toFixed(2).replace("-", "−")}${texts.length > 1 && numbers[i] === Math.max(...numbers) ? " ←" : ""}`;
  const rows = texts.map((text, i) => [`${i === right ? "✓ " : ""}${text}`, said(before, i), said(after, i)]);
  const caption = `log-likelihood, nats; ✓ right${texts.length > 1 ? ", ← most likely" : ""}`;
  return smallTable(caption, ["", "every head", "without it"], rows, "choices");
}

/** Go to the next head in the order that the table of heads shows, or to the one before; of a unit to the next like it. */
function step(by) {
  const { section, address } = shown;
  const { heads, units } = known(section);
  const like = Object.keys(units).filter((other) => units[other][1] === units[address]?.[1]);
  const rows = like.length ? [] : [...section.querySelectorAll(".heads tbody tr[data-head]")].filter(inSight);
  const order = rows.length ? rows.map((row) => row.dataset.head) : like.length ? like : heads;
  const next = order[order.indexOf(address) + by];
  if (!next) return;
  history.replaceState(null, "", linkTo(section, next)); // back leads out of the dialog, not through the heads
  showHead(section, next);
}

const onDialog = (selector, act) => dialog.querySelector(selector).addEventListener("click", act);
onDialog(".before", () => step(-1));
onDialog(".after", () => step(1));
onDialog(".copy-address", () => copy(shown.address, "Address"));
onDialog(".copy-prune", () => copy(`heads=[${shown.address}]`, "Option of study prune"));
onDialog(".copy-link", () => copy(pageUrl() + linkTo(shown.section, shown.address), "Link"));

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside it
});
dialog.addEventListener("keydown", (event) => {
  if (event.target.closest("[popover]")) return;
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});
dialog.addEventListener("close", () => leaveHead(shown.section));
