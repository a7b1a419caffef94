// What scripts add: tables that sort and filter, and the examples of a head. Without them the page is whole but for these.
"use strict";

/** An element with properties and children: make("p", {className: "note"}, "text", child). */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const signed = (number) => {
  const text = Math.abs(number).toFixed(2);
  return number === 0 || text === "0.00" ? "0.00" : (number < 0 ? "−" : "+") + text;
};

/* ---- Sorting: the name of a column is a button; once more turns the order round. ---- */

function value(row, column, numeric) {
  const cell = row.cells[column];
  if (!numeric) return cell.textContent.trim();
  return cell.dataset.value === undefined ? Infinity : Number(cell.dataset.value);
}

function sort(table, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  const numeric = header.dataset.sort === "number";
  const column = Number(header.dataset.column ?? header.cellIndex);
  const keyed = [...table.tBodies[0].rows].map((row) => [value(row, column, numeric), row]);
  keyed.sort(([a], [b]) => (numeric ? a - b : a.localeCompare(b)) * (descending ? -1 : 1));
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  table.tBodies[0].append(...keyed.map(([, row]) => row));
}

function sortable(table) {
  for (const header of table.querySelectorAll("th[data-sort]")) {
    const button = make("button", { type: "button", className: "sort" }, ...header.childNodes);
    button.addEventListener("click", () => sort(table, header));
    header.replaceChildren(button);
  }
}

/* ---- Filtering: by the head's name, its kind, and whether its effect is significant. ---- */

function filterable(section, table) {
  const tools = section.querySelector(".tools");
  const find = tools.querySelector(".find");
  const kind = tools.querySelector(".kind");
  const sure = tools.querySelector(".certain");
  const rows = [...table.tBodies[0].rows];
  const update = () => {
    const text = find.value.trim();
    let shown = 0;
    for (const row of rows) {
      const name = row.querySelector("th").textContent.trim();
      row.hidden =
        (text.includes(".") ? name !== text : text && name.split(".")[0] !== text) ||
        (kind && kind.value && row.dataset.kind !== kind.value) ||
        (sure && sure.checked && !("sure" in row.dataset));
      shown += row.hidden ? 0 : 1;
    }
    tools.querySelector(".count").textContent = `${shown} of ${rows.length} heads`;
  };
  tools.addEventListener("input", update);
  tools.hidden = false;
  update();
}

/* ---- A head: its effect on each domain, and the examples that came out otherwise. ---- */

const dialog = document.querySelector("dialog");
let shown = null; // section and address of the head in the dialog

function examplesOf(section) {
  const element = section.querySelector("script.examples");
  section.examples ??= JSON.parse(element.textContent);
  return section.examples;
}

function change(domain, unit, [text, before, after, was, now]) {
  const sentences = domain.texts[text];
  const target = sentences[sentences.length - 1];
  const answer = (index) => (index < 0 ? "" : domain.answers[index]);
  const list = make("dl", {});
  const line = (name, content, className = "") =>
    list.append(make("dt", {}, name), make("dd", { className }, content));
  sentences.slice(0, -1).forEach((sentence, i) => line(sentences.length > 2 ? ["premise", "hypothesis"][i] ?? "text" : "text", sentence));
  line("gold", target);
  const score = (number) => (unit === "%" ? (number ? "right" : "wrong") : number.toFixed(1));
  line("every head", `${answer(was)} (${score(before)})`);
  line("without it", `${answer(now)} (${score(after)})`, after < before ? "worse" : "better");
  return make("li", {}, list);
}

function domainPart(section, domain, examples, head, cell) {
  const part = make("section", {}, make("h3", {}, domain.label));
  const interval = cell.nextElementSibling.textContent.trim();
  const effect = make("b", {}, cell.textContent.trim());
  part.append(make("p", { className: "effect" }, "effect ", effect, interval ? ` (${interval})` : ""));
  if (cell.title) part.append(make("p", { className: "note" }, cell.title));
  const [lost, gained, other, changes] = domain.heads[head] ?? [0, 0, 0, []];
  const words = `${lost} example${lost === 1 ? "" : "s"} came out worse without it, ${gained} better, ${other} otherwise.`;
  part.append(make("p", {}, words));
  const all = lost + gained + other;
  if (changes.length) {
    const title = changes.length < all ? `The ${changes.length} clearest of ${all}` : all === 1 ? "The one" : `All ${all}`;
    const list = make("ol", {}, ...changes.map((one) => change(domain, examples.unit, one)));
    part.append(make("details", { open: changes.length < 4 }, make("summary", {}, title), list));
  }
  return part;
}

function show(section, head) {
  const row = section.querySelector(`.heads tr[data-head="${head}"]`);
  if (!row) return;
  const examples = examplesOf(section);
  const cells = [...row.querySelectorAll("td.first")];
  const name = row.querySelector("th").textContent.trim().split(".");
  const kind = row.dataset.name ? `${row.dataset.name}, ` : "";
  document.getElementById("head-name").textContent = `${kind}layer ${name[0]}, head ${name[1]}`;
  dialog.querySelector(".content").replaceChildren(
    ...examples.domains.flatMap((domain, i) =>
      cells[i].dataset.value === undefined ? [] : [domainPart(section, domain, examples, head, cells[i])],
    ),
  );
  shown = { section, row };
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

/** The next head of the table in the order that it shows, or the one before. */
function step(by) {
  const rows = [...shown.section.querySelectorAll(".heads tbody tr")].filter((row) => !row.hidden);
  const next = rows[rows.indexOf(shown.row) + by];
  if (next) show(shown.section, next.dataset.head);
}

function clickable(section, table) {
  for (const header of table.querySelectorAll("tbody th")) {
    header.replaceChildren(make("button", { type: "button", className: "head" }, header.textContent.trim()));
  }
  section.addEventListener("click", (event) => {
    const marked = event.target.closest("[data-head]");
    if (marked) show(section, marked.dataset.head);
  });
}

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside it
});
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});

for (const section of document.querySelectorAll(".subject")) {
  const table = section.querySelector("table.heads");
  if (!table) continue;
  filterable(section, table);
  clickable(section, table);
  sortable(table);
  for (const word of section.querySelectorAll(".scripted")) word.hidden = false;
}
document.body.classList.add("scripts");
