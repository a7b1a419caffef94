/* ---- The menu of a table: filter its rows, copy it as CSV, Markdown or LaTeX. ---- */

/** Whether a row is shown: no filter has put it away. */
const inSight = (row) => !row.hidden && !row.classList.contains("filtered");

/** The texts of a table as it is shown now: one row of names (joined where they stand in several), then its rows. */
function texts(table) {
  const heads = grid(table.tHead?.rows ?? []);
  const names = (heads.at(-1) ?? []).map((_, column) =>
    [...new Set(heads.map((row) => words(row[column])))].filter(Boolean).join(" "),
  );
  const rows = [...table.tBodies].flatMap((body) => grid(body.rows).filter((_, i) => inSight(body.rows[i])));
  const spread = rows.map((row) => row.map((cell, i) => (cell && cell === row[i - 1] ? "" : words(cell))));
  return { names, rows: spread, numeric: names.map((_, i) => rows.some((row) => row[i]?.classList.contains("n"))) };
}

const asCsv = (table) => {
  const { names, rows } = texts(table);
  const field = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [names, ...rows].map((row) => row.map((text) => field(text.replaceAll("−", "-"))).join(",")).join("\n") + "\n";
};

const asMarkdown = (table) => {
  const { names, rows, numeric } = texts(table);
  const line = (row) => `| ${row.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(names), `|${numeric.map((is) => (is ? "---:" : "---")).join("|")}|`, ...rows.map(line)].join("\n") + "\n";
};

const LATEX = {
  "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
  "−": "$-$", "–": "--", "±": "$\\pm$", "ρ": "$\\rho$", "τ": "$\\tau$", "ξ": "$\\xi$", "×": "$\\times$", "→": "$\\to$",
  "<": "$<$", ">": "$>$", "’": "'", "“": "``", "”": "''", "✓": "\\checkmark{}", "↓": "$\\downarrow$",
};
const latex = (text) => text.replace(/[&%$#_{}]/g, "\\$&").replace(/\\(?![&%$#_{}])|[~^−–±ρτξ×→<>’“”✓↓]/g, (letter) => LATEX[letter]);

const asLatex = (table, caption) => {
  const { names, rows, numeric } = texts(table);
  const line = (row) => `  ${row.map(latex).join(" & ")} \\\\`;
  return [
    "% needs \\usepackage{booktabs}",
    "\\begin{table}",
    `  \\caption{${latex(caption)}}`,
    `  \\begin{tabular}{${numeric.map((is) => (is ? "r" : "l")).join("")}}`,
    "  \\toprule",
    line(names),
    "  \\midrule",
    ...rows.map(line),
    "  \\bottomrule",
    "  \\end{tabular}",
    "\\end{table}",
    "",
  ].join("\n");
};

/** A box whose words the rows of a table must have to be shown. */
function filterBox(table) {
  const box = make("input", { type: "search", className: "filter", ariaLabel: "Show only rows with", placeholder: "rows with …" });
  box.addEventListener("input", () => {
    for (const row of table.tBodies[0].rows) {
      row.classList.toggle("filtered", !words(row).toLowerCase().includes(box.value.trim().toLowerCase()));
    }
  });
  return box;
}

for (const wide of document.querySelectorAll("main .wide")) {
  const table = wide.querySelector("table");
  const caption = wide.querySelector(".scroll").ariaLabel;
  sortable(table);
  const filter = () => {
    const old = tools.querySelector(".filter");
    const box = old ?? filterBox(table);
    if (!old) tools.prepend(box);
    box.focus();
  };
  const ways = [
    ["Copy as CSV", () => copy(asCsv(table), "CSV")],
    ["Copy as Markdown", () => copy(asMarkdown(table), "Markdown")],
    ["Copy as LaTeX", () => copy(asLatex(table, caption), "LaTeX")],
  ];
  if (!table.tBodies[0]?.querySelector("[rowspan]")) ways.unshift(["Filter rows", filter]);
  const tools = make("div", { className: "table-tools" }, menu("⋯", `Table: ${caption}`, ways));
  wide.prepend(tools);
}
