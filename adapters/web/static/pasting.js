// What somebody pasted: words, pictures, or both, as spreadsheets put a picture of the cells beside their text.

/**
 * `files` are meant; `text` goes into the field. `offered`: pictures that came with the text, for whoever wants them too.
 * File managers name the files in the text: those words are not meant.
 */
export function pasted(data) {
  const files = [...data.files];
  const text = data.getData("text/plain");
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
  const names = lines.length && lines.every((line) => files.some(({ name }) => decoded(line).endsWith(name)));
  if (!lines.length || names) return { files, text: "", offered: [] };
  return { files: [], text, offered: files.filter(({ type }) => type.startsWith("image/")) };
}

/** As a file manager writes an address, or as it is. */
function decoded(line) {
  try {
    return line.startsWith("file:") ? decodeURIComponent(line) : line;
  } catch {
    return line;
  }
}
