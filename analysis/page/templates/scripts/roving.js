/* ---- Many marks, one stop of the Tab key: arrows lead from a mark to the nearest in their direction. ---- */

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The mark that one meets first when one goes a way from another; undefined for none. */
function nearest(mark, marks, [x, y]) {
  const middle = (element) => {
    const at = element.getBoundingClientRect();
    return at.width + at.height ? [at.left + at.width / 2, at.top + at.height / 2] : null;
  };
  const [left, top] = middle(mark);
  const found = marks.flatMap((other) => {
    const at = other === mark ? null : middle(other);
    if (!at) return [];
    const along = (at[0] - left) * x + (at[1] - top) * y;
    const across = Math.abs((at[0] - left) * y) + Math.abs((at[1] - top) * x);
    return along > 1 ? [[along + 3 * across, other]] : [];
  });
  return found.sort(([a], [b]) => a - b)[0]?.[1];
}

/** Make the marks of an element (those that a selector finds) one stop of the Tab key. */
function rove(element, selector) {
  const marks = [...element.querySelectorAll(selector)];
  for (const mark of marks) mark.tabIndex = mark === marks[0] ? 0 : -1;
  element.addEventListener("focusin", (event) => {
    const mark = event.target.closest(selector);
    if (!mark) return;
    for (const other of marks) other.tabIndex = other === mark ? 0 : -1;
  });
  element.addEventListener("keydown", (event) => {
    const mark = event.target.closest(selector);
    if (!mark || !WAYS[event.key]) return;
    event.preventDefault(); // arrows scroll otherwise
    nearest(mark, marks, WAYS[event.key])?.focus();
  });
}
