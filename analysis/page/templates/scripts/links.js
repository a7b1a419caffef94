/* ---- Links: the address of the page says what is open, so that it can be sent, and the back button works. ---- */

/** Whether the head in the dialog was opened from the page, so that going back closes it. */
let entered = false;

const fragment = () => decodeURIComponent(location.hash.slice(1));
const linkTo = (section, address) => `#${section.id}-${address}`;
const pageUrl = () => location.href.split("#")[0];

/** The subject and the head that an address of the page names; undefined for none. */
function headAt(name) {
  const section = subjectAt(name);
  const address = name.slice((section?.id.length ?? 0) + 1);
  return section && addresses(section).includes(address) ? { section, address } : undefined;
}

/** Open a head, as a step that the back button undoes. */
function openHead(section, address) {
  if (!section || !addresses(section).includes(address)) return;
  entered = true;
  history.pushState(null, "", linkTo(section, address)); // unlike a link it does not scroll
  follow();
}

/** After the dialog was closed the address names the head no more. */
function leaveHead(section) {
  if (!headAt(fragment())) return;
  if (entered) history.back();
  else history.replaceState(null, "", `#${section.id}`);
  entered = false;
}

/** Open the folds that an element stands in, and those of a part of the page that is nothing but one. */
function reveal(element) {
  const folds = [...element.querySelectorAll(":scope > details:only-of-type")];
  for (let fold = element.closest("details"); fold; fold = fold.parentElement.closest("details")) folds.push(fold);
  const closed = folds.filter((fold) => !fold.open);
  for (const fold of closed) fold.open = true;
  if (closed.length) element.scrollIntoView();
}

/** Show what the address names: a head, two subjects side by side, or a part of the page. */
function follow() {
  const name = fragment();
  const head = headAt(name);
  if (!head || head.section.hidden) choose(name); // else what is behind the dialog stays
  if (head) return showHead(head.section, head.address);
  if (dialog.open) dialog.close();
  const element = name && document.getElementById(name);
  if (element) reveal(element);
}

addEventListener("popstate", follow);

document.addEventListener("click", (event) => {
  const marked = event.target.closest("[data-head]");
  if (marked && !event.target.closest("[data-cite]")) openHead(subjectOf(marked), marked.dataset.head);
});

for (const link of document.querySelectorAll("a.anchor")) {
  link.addEventListener("click", () => copy(pageUrl() + link.hash, "Link"));
}
