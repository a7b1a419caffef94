/* ---- The table of heads: filtered by kind of attention and by significance; its names open the heads. ---- */

function filterHeads(section, table) {
  const tools = section.querySelector(".tools");
  const kind = tools.querySelector(".kind");
  const sure = tools.querySelector(".certain");
  const rows = [...table.tBodies[0].rows];
  const update = () => {
    for (const row of rows) {
      const otherKind = kind?.value && row.dataset.kind !== kind.value;
      row.hidden = Boolean(otherKind || (sure.checked && !("sure" in row.dataset)));
    }
    tools.querySelector(".count").textContent = `${rows.filter((row) => !row.hidden).length} of ${counted(rows.length, "head")}`;
  };
  tools.addEventListener("input", update);
  tools.hidden = false;
  update();
}

for (const section of subjects) {
  const table = section.querySelector("table.heads");
  if (table) filterHeads(section, table);
  for (const header of section.querySelectorAll("tr[data-head] > th")) {
    header.replaceChildren(make("button", { type: "button", className: "head" }, header.textContent.trim()));
  }
}
