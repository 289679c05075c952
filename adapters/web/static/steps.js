// How an answer in steps came about, folded: the same on the page and on the wall.

import { make } from "./dom.js";
import { say } from "./texts.js";

/** Line by line, with a picture of what the steps looked at (`seen`) where there is one. */
export function folded(steps, seen) {
  const shown = seen ? [make("img", { src: seen.url, alt: seen.alt, loading: "lazy", onerror: (event) => event.target.remove() })] : [];
  return make("details", { className: "steps" }, make("summary", { textContent: say("steps") }), make("pre", { textContent: steps }), ...shown);
}
