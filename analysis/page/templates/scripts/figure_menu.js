/* ---- The menu of a figure: save it as SVG, PNG or PDF, and what is drawn as CSV. ---- */

const PNG_SCALE = 2;

/** A drawing as an SVG file of its own, in the colours that the page has now. */
function svgFile(svg) {
  const alone = svg.cloneNode(true);
  const { width, height } = svg.getBoundingClientRect();
  for (const mark of alone.querySelectorAll("[data-tip]")) {
    mark.prepend(Object.assign(document.createElementNS(svg.namespaceURI, "title"), { textContent: mark.dataset.tip }));
    for (const name of ["tabindex", "role", "aria-label", "data-tip"]) mark.removeAttribute(name);
  }
  alone.setAttribute("xmlns", svg.namespaceURI);
  alone.setAttribute("role", "img");
  alone.setAttribute("width", width);
  alone.setAttribute("height", height);
  alone.style.color = getComputedStyle(svg).color;
  return new Blob([new XMLSerializer().serializeToString(alone)], { type: "image/svg+xml" });
}

/** A drawing as PNG, twice as large as on the page, on the ground of the page. */
async function pngFile(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(await svgFile(svg).text())}`;
  await image.decode();
  const canvas = make("canvas", { width: PNG_SCALE * image.width, height: PNG_SCALE * image.height });
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

for (const panel of document.querySelectorAll("main [data-drawing]")) {
  const svg = panel.querySelector("svg");
  const data = panel.querySelector("script");
  const name = panel.dataset.drawing.replaceAll("/", "-");
  const ways = [
    ["SVG", () => save(svgFile(svg), `${name}.svg`)],
    ["PNG", async () => save(await pngFile(svg), `${name}.png`)],
  ];
  if (data) ways.push(["Data as CSV", () => save(new Blob([data.textContent], { type: "text/csv" }), `${name}.csv`)]);
  if (panel.dataset.pdf) ways.push(["PDF", () => make("a", { href: panel.dataset.pdf, target: "_blank", download: `${name}.pdf` }).click()]);
  panel.append(menu("Save", `Save figure: ${svg.ariaLabel}`, ways));
}
