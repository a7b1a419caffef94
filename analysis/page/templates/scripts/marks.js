/* ---- Marks in figures: they say what they are at once, and those of a head open it. ---- */

/** Give the marks of a drawing their words, a place among the stops of the Tab key, and a role. */
function mark(svg) {
  const marks = svg.querySelectorAll("g:has(> title)");
  for (const each of marks) {
    const title = each.querySelector(":scope > title");
    each.dataset.tip = each.ariaLabel = title.textContent; // the browser's own tip is slow
    const section = subjectOf(each);
    each.role = "head" in each.dataset && section && known(section) ? "button" : "img";
    title.remove();
  }
  if (!marks.length) return;
  svg.role = "group"; // nothing within an image is heard of
  rove(svg, "g[data-tip]");
}

for (const svg of document.querySelectorAll("figure svg")) mark(svg);
document.addEventListener("keydown", (event) => {
  const pressed = event.target.closest?.("svg [data-head]");
  if (!pressed || !["Enter", " "].includes(event.key)) return;
  event.preventDefault();
  openHead(subjectOf(pressed), pressed.dataset.head);
});
