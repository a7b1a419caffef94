/* ---- What opens over the page: menus, and words beside what is pointed at. ---- */

/** Move an open popover below an element, or above it where there is no room; never off the screen. */
function place(popover, anchor) {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = popover;
  const below = at.bottom + height + 10 < innerHeight || at.top < height + 10;
  const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - width - 8));
  popover.style.left = `${scrollX + left}px`;
  popover.style.top = `${scrollY + (below ? at.bottom + 6 : at.top - height - 6)}px`;
}

/** A button that opens something below it; Escape or a click beside closes it. */
function opener(label, title, content) {
  Object.assign(content, { popover: "auto", role: "group", ariaLabel: title });
  const button = make("button", { type: "button", className: "opens", title, popoverTargetElement: content }, label);
  content.addEventListener("toggle", (event) => {
    if (event.newState !== "open") return;
    place(content, button);
    content.querySelector("button, select").focus();
  });
  return make("span", { className: "tool" }, button, content);
}

/**
 * A button that opens a list of others; arrows lead up and down.
 * @param {string} label what stands on the button
 * @param {string} title what the button is for
 * @param {[string, () => void][]} entries the name of each entry, and what it does
 */
function menu(label, title, entries) {
  const list = make("div", { className: "menu" });
  for (const [name, act] of entries) {
    const entry = make("button", { type: "button" }, name);
    entry.addEventListener("click", () => {
      list.hidePopover();
      act();
    });
    list.append(entry);
  }
  list.addEventListener("keydown", (event) => {
    const way = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!way) return;
    event.preventDefault();
    document.activeElement[way]?.focus();
  });
  return opener(label, title, list);
}

const tip = make("div", { className: "tip", popover: "manual" });
document.body.append(tip);
let told = null; // the element that the tip is about

/** Show what an element has to say until it is left; null: nothing. */
function tell(element) {
  if (element === told) return;
  told = element;
  requestAnimationFrame(() => {
    tip.togglePopover(Boolean(told)); // another one may be opening or closing until now
    if (!told) return;
    tip.textContent = told.dataset.tip;
    place(tip, told);
  });
}

for (const come of ["pointerover", "focusin"]) {
  document.addEventListener(come, (event) => tell(event.target.closest?.("[data-tip]") ?? null));
}
document.addEventListener("focusout", () => tell(null));
document.addEventListener("keydown", (event) => event.key === "Escape" && tell(null));
