/* ---- Sorting: the name of a column is a button; once more turns the order round. ---- */

/** The cells of the rows of a head or body at their columns, as `colspan` and `rowspan` lay them: grid[row][column]. */
function grid(rows) {
  const cells = [...rows].map(() => []);
  [...rows].forEach((row, y) => {
    let x = 0;
    for (const cell of row.cells) {
      while (cells[y][x]) x += 1;
      for (let down = 0; down < cell.rowSpan && y + down < cells.length; down += 1) {
        for (let along = 0; along < cell.colSpan; along += 1) cells[y + down][x + along] = cell;
      }
      x += cell.colSpan;
    }
  });
  return cells;
}

/** The words of a cell, but for explanations of them. */
function words(cell) {
  if (!cell) return "";
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT, (text) =>
    text.parentElement.closest("[role=tooltip], .unsaid, .mark") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
  );
  let said = "";
  while (texts.nextNode()) said += ` ${texts.currentNode.data}`;
  return said.replace(/\s+/g, " ").trim();
}

/** What a cell is sorted by: its number, where it has one or begins with one, else its text. */
function value(cell) {
  if (cell?.dataset.value !== undefined) return Number(cell.dataset.value);
  const text = words(cell).replaceAll("−", "-").replaceAll(",", "");
  const number = /^[<±]?\s*([+-]?(?:\d+\.?\d*|\.\d+))/.exec(text);
  return number ? Number(number[1]) : text;
}

/** Numbers in their order, then texts in theirs, then nothing. */
function compareValues(a, b, descending) {
  const rank = (one) => (typeof one === "number" ? 0 : one && one !== "–" ? 1 : 2);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  const order = typeof a === "number" ? a - b : a.localeCompare(b);
  return descending ? -order : order;
}

function sort(table, header, column) {
  const descending = header.ariaSort === "ascending";
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const cells = grid(rows);
  const keyed = rows.map((row, i) => [value(cells[i][column]), row]);
  keyed.sort(([a], [b]) => compareValues(a, b, descending));
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  header.ariaSort = descending ? "descending" : "ascending";
  body.append(...keyed.map(([, row]) => row));
}

/** Tables sort by each column that has a name of its own, where no cell reaches over several rows. */
function sortable(table) {
  if (!table.tHead || table.tBodies.length !== 1 || table.tBodies[0].querySelector("[rowspan]")) return;
  const leaves = grid(table.tHead.rows).at(-1);
  leaves.forEach((header, column) => {
    if (header.colSpan > 1 || !words(header)) return;
    const term = header.querySelector("[tabindex]"); // what is reached by itself stays beside the button
    const name = term ? [make("span", { className: "unsaid" }, `Sort by ${words(header)}`), make("span", { className: "mark" }, "⇅")] : header.childNodes;
    const button = make("button", { type: "button", className: "sort" }, ...name);
    button.addEventListener("click", () => sort(table, header, column));
    if (term) header.append(" ", button);
    else header.replaceChildren(button);
  });
}
