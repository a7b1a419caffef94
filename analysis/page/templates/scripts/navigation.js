/* ---- Where one is: which subject is shown, and which part of it is in sight. ---- */

const picker = document.querySelector("[data-picker]");

/** Show the subject that an address names, where one is shown at a time; two where it names two. */
function choose(name) {
  const pair = pairAt(name);
  standBeside(pair);
  if (!("oneAtATime" in main.dataset)) return;
  const chosen = pair ?? [subjectAt(name) ?? subjects.find((section) => !section.hidden) ?? subjects[0]];
  const moved = chosen.some((section) => section.hidden);
  for (const section of subjects) section.hidden = !chosen.includes(section);
  if (picker) picker.value = chosen[0].id;
  if (moved) document.getElementById(name)?.scrollIntoView();
}

picker?.addEventListener("change", () => (location.hash = picker.value));
picker?.closest("label").removeAttribute("hidden");

/** Let a variable of the styles be the height of what stays in sight, which has as many lines as its links need. */
function keepHeight(variable, selector) {
  const bars = [...document.querySelectorAll(selector)];
  const keep = () => {
    const height = Math.max(0, ...bars.map((bar) => bar.offsetHeight));
    if (height) document.documentElement.style.setProperty(variable, `${height}px`);
  };
  const seen = new ResizeObserver(keep);
  for (const bar of bars) seen.observe(bar);
}

/** Mark the link to the part of the page that is in sight. */
const sight = new IntersectionObserver(
  (entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
      for (const link of document.querySelectorAll("nav a[aria-current]")) link.removeAttribute("aria-current");
      for (const link of document.querySelectorAll(`nav a[href="#${CSS.escape(target.id)}"]`)) link.ariaCurrent = "true";
    }
  },
  { rootMargin: "-20% 0px -75% 0px" },
);
for (const part of document.querySelectorAll("main [data-part]")) sight.observe(part);
