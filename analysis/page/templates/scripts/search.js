/* ---- Find a head by any of its names, in all subjects. ---- */

const MOST_FOUND = 12;

/** The box with its suggestions, as ARIA describes a combobox. */
function search(parent) {
  const list = make("ul", { id: "found", role: "listbox", popover: "manual", className: "menu", ariaLabel: "Heads" });
  const box = make("input", {
    type: "search",
    role: "combobox",
    placeholder: "find a head: L2H3",
    title: "By address (encoder_self.2.3), L2H3 or 2.3",
    ariaLabel: "Find a head",
    ariaExpanded: "false",
    ariaAutoComplete: "list",
    autocomplete: "off",
    spellcheck: false,
    size: 18,
  });
  box.setAttribute("aria-controls", list.id);
  const none = make("span", { className: "none", role: "status" });
  let chosen = 0;

  const close = () => {
    if (list.matches(":popover-open")) list.hidePopover();
    box.ariaExpanded = "false";
    box.removeAttribute("aria-activedescendant");
  };
  const select = (at) => {
    chosen = (at + list.children.length) % list.children.length;
    [...list.children].forEach((option, i) => (option.ariaSelected = String(i === chosen)));
    box.setAttribute("aria-activedescendant", list.children[chosen].id);
    list.children[chosen].scrollIntoView({ block: "nearest" });
  };
  const open = ({ section, address }) => {
    close();
    box.value = none.textContent = "";
    openHead(section, address);
  };
  const update = () => {
    const found = headsCalled(box.value);
    const lacking = box.value.trim() && !found.length;
    none.textContent = lacking ? `No head is called “${box.value.trim()}”: try encoder_self.2.3, L2H3 or 2.3` : "";
    if (!found.length) return close();
    const options = found.slice(0, MOST_FOUND).map((head, i) => {
      const words = [make("b", {}, known(head.section).units[head.address]?.[0] ?? shortName(head.address)), ` ${head.address}`];
      if (subjects.length > 1) words.push(` · ${head.section.dataset.label}`);
      const option = make("li", { role: "option", id: `found-${i}` }, ...words);
      option.addEventListener("pointerdown", (event) => {
        event.preventDefault(); // the box keeps the focus
        open(head);
      });
      return Object.assign(option, { head });
    });
    list.replaceChildren(...options);
    if (!list.matches(":popover-open")) list.showPopover();
    place(list, box);
    box.ariaExpanded = "true";
    select(0);
  };
  const keys = {
    ArrowDown: () => select(chosen + 1),
    ArrowUp: () => select(chosen - 1),
    Enter: () => open(list.children[chosen].head),
    Escape: close,
  };
  box.addEventListener("input", update);
  box.addEventListener("focus", update);
  box.addEventListener("blur", close);
  box.addEventListener("keydown", (event) => {
    if (!keys[event.key] || box.ariaExpanded !== "true") return;
    event.preventDefault();
    keys[event.key]();
  });
  parent.append(box, list, none);
  parent.hidden = false;
}
