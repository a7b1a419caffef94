/* ---- Compare: two subjects side by side, each part of one beside that of the other. ---- */

const COMPARED = /^compare\/(.+)\/(.+)$/;
const main = document.querySelector("main");

/** The two subjects that an address of the page names, or null. */
function pairAt(name) {
  const [one, other] = (COMPARED.exec(name) ?? []).slice(1).map((id) => subjects.find((section) => section.id === id));
  return one && other && one !== other ? [one, other] : null;
}

/** Lay the parts of two subjects side by side, and put all else away; null: everything as it was. */
function standBeside(pair) {
  const kindOf = (part) => part.dataset.part ?? part.className; // what stands before the parts has only a class
  const kinds = [...new Set((pair ?? []).flatMap(({ children }) => [...children]).map(kindOf))];
  main.classList.toggle("beside", Boolean(pair));
  for (const child of main.children) {
    child.classList.toggle("away", Boolean(pair) && !pair.includes(child) && child.dataset.part !== "compared");
  }
  for (const fold of document.querySelectorAll("[data-pair]")) {
    const ids = fold.dataset.pair.split(" ");
    const theirs = pair?.every(({ id }) => ids.includes(id));
    fold.classList.toggle("away", Boolean(pair) && !theirs);
    if (theirs) fold.open = true;
  }
  for (const section of subjects) {
    section.style.setProperty("--side", pair ? pair.indexOf(section) + 1 : "");
    for (const part of section.children) {
      part.style.setProperty("--row", pair ? kinds.indexOf(kindOf(part)) + 2 : ""); // the differences come first
      part.dataset.of = section.dataset.label;
    }
  }
}

/** A button that opens two pickers; the address of the page says what they say. */
function comparer(parent) {
  const options = () => subjects.map((section) => make("option", { value: section.id }, section.dataset.label));
  const first = make("select", {}, ...options());
  const second = make("select", {}, make("option", { value: "" }, "…"), ...options());
  const update = () => {
    if (second.value && first.value !== second.value) location.hash = `compare/${first.value}/${second.value}`;
    else if (pairAt(fragment())) location.hash = first.value;
  };
  const agree = () => {
    const pair = pairAt(fragment());
    [first.value, second.value] = pair ? pair.map(({ id }) => id) : [subjectAt(fragment())?.id ?? first.value, ""];
  };
  for (const select of [first, second]) select.addEventListener("change", update);
  addEventListener("popstate", agree);
  agree();
  const rows = [make("label", {}, "this ", first), make("label", {}, "with ", second)];
  parent.append(opener("Compare", "Compare two models side by side", make("div", { className: "menu" }, ...rows)));
  parent.hidden = false;
}
