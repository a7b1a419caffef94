/* ---- Numbers that lie packed in the page: zlib in base64, unpacked when they are first looked at. ---- */

/** The bytes of a packed text. */
async function unpacked(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}
