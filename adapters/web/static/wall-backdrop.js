// What fills the room beside a picture on the wall: its own rim's colour where that is one colour, else the picture out of focus.
// Out of focus a drawing on white would end at its edge in a hard line, with a smear of what lies further inside.

import { make } from "./dom.js";

const SIDE = 24; // pixels of the copy that is looked at
const EVEN = 20; // of 255: how far the rim's colours may lie apart

const rims = new Map(); // picture's address → its rim's colour, or "" where it has many

/** An element to lie behind the picture at `src`. */
export function backdrop(src) {
  const known = rims.get(src);
  if (known) return plate(known);
  const image = make("img", { src, alt: "", className: "behind" });
  if (known === undefined) image.onload = () => look(image, src);
  return image;
}

function look(image, src) {
  const colour = rim(image);
  rims.set(src, colour);
  if (colour) image.replaceWith(plate(colour));
}

function plate(colour) {
  const filled = make("div", { className: "behind" });
  filled.style.backgroundColor = colour;
  return filled;
}

/** The colour of all four edges, or "" where they have several. */
function rim(image) {
  const context = make("canvas", { width: SIDE, height: SIDE }).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  const edge = [...Array(SIDE * SIDE).keys()].filter((at) => [0, SIDE - 1].includes(at % SIDE) || [0, SIDE - 1].includes(Math.floor(at / SIDE)));
  const channels = [0, 1, 2].map((channel) => edge.map((at) => data[4 * at + channel]));
  if (channels.some((values) => Math.max(...values) - Math.min(...values) > EVEN)) return "";
  return `rgb(${channels.map((values) => Math.round(values.reduce((sum, value) => sum + value, 0) / values.length)).join(", ")})`;
}
