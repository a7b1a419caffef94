/* ---- Cite this number: what a number with an interval is, and how it was made, ready to copy. ---- */

/** How numbers were made, by the number that `data-how` holds. */
const HOW = JSON.parse(document.getElementById("citations").textContent);

const citation = ({ cite, how }) => `${cite}; ${HOW[how]}.`;

const citing = make("div", { className: "citation", popover: "auto", role: "group", ariaLabel: "Cite this number" });
const cited = make("p", {});
const copier = make("button", { type: "button", className: "copy" }, "Copy citation");
copier.addEventListener("click", () => {
  copy(cited.textContent, "Citation");
  citing.hidePopover();
});
citing.append(cited, copier);

/** Offer the citation of a number, beside it. */
function cite(number) {
  (number.closest("dialog") ?? document.body).append(citing);
  cited.textContent = citation(number.dataset);
  citing.showPopover({ source: number });
  place(citing, number);
  copier.focus();
}

/** Make a number a button that says how it was made, and offers its citation. */
function citable(number, cite = number.dataset.cite, how = number.dataset.how) {
  Object.assign(number.dataset, { cite, how, tip: HOW[how] });
  number.role = "button";
  number.tabIndex = 0;
}

for (const number of document.querySelectorAll("main [data-cite]")) citable(number);
for (const region of document.querySelectorAll("main .scroll")) rove(region, "[data-cite]");

document.addEventListener("click", (event) => {
  const number = event.target.closest("[data-cite]");
  if (number) cite(number);
});
document.addEventListener("keydown", (event) => {
  if (!["Enter", " "].includes(event.key) || !event.target.matches?.("[data-cite]")) return;
  event.preventDefault();
  cite(event.target);
});
