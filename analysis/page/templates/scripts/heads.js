/* ---- Heads: what the page knows of them, and the names that they go by. ---- */

/**
 * What is known of a subject, from the JSON in its section (analysis/page/sections/head_details.py says its form).
 * @param {HTMLElement} section of class subject
 */
function known(section) {
  const element = section.querySelector("script.heads-data");
  section.known ??= element && { units: {}, ...JSON.parse(element.textContent) }; // a page of maps has heads alone
  return section.known;
}

const subjects = [...document.querySelectorAll(".subject")];

/** The subject that an address of the page is of: the one whose id it is or begins with, the longest such id. */
const subjectAt = (name) =>
  subjects
    .filter(({ id }) => name === id || name.startsWith(`${id}-`))
    .sort((a, b) => b.id.length - a.id.length)[0];

/** The subject that an element is about; where it is about two, the first; null for none. */
function subjectOf(element) {
  const [first] = element.closest("[data-pair]")?.dataset.pair.split(" ") ?? [];
  return element.closest(".subject") ?? document.getElementById(first);
}

/** `L2H3`. */
const shortName = (address) => address.replace(/^.*\.(\d+)\.(\d+)$/, "L$1H$2");

/** The addresses of all that a dialog can show: heads, and groups, layers and MLPs that were removed whole. */
const addresses = (section) => {
  const subject = known(section);
  return subject ? [...subject.heads, ...Object.keys(subject.units)] : [];
};

/** `L2H3`; of a model with several kinds of attention `L2H3, encoder–decoder attention`. Of larger units `L2G0`, `MLP 2`. */
function nameOf(section, address) {
  const { kinds, units } = known(section);
  if (address in units) return units[address][0];
  return shortName(address) + (Object.keys(kinds).length > 1 ? `, ${kinds[address.split(".")[0]]}` : "");
}

/** Names of a head in the form in which they are compared: its address, `l2h3`, `2.3`, `cross.l2h3`; of a unit two. */
function spellings(section, address) {
  const unit = known(section).units[address];
  if (unit) return [address, unit[0].toLowerCase().replace(/\s+/g, "")];
  const [kind, layer, head] = address.split(".");
  return [address, `l${layer}h${head}`, `${layer}.${head}`, `${kind}.l${layer}h${head}`];
}

/** Every head or larger unit of the page that a text is the name of, or the beginning of one; exact ones first. */
function headsCalled(text) {
  const wanted = text.toLowerCase().replace(/\s+/g, "");
  const found = subjects.flatMap((section) =>
    addresses(section).flatMap((address) => {
      const names = spellings(section, address);
      const exact = names.includes(wanted);
      return exact || names.some((name) => name.startsWith(wanted)) ? [{ section, address, exact }] : [];
    }),
  );
  return wanted ? found.sort((a, b) => b.exact - a.exact) : [];
}
