// Beside and below the wall's stage: what else is being answered, what is liked, and who is next.

import { find, make } from "./dom.js";
import { plain } from "./wall-stage.js";
import { say } from "./texts.js";

const ALSO = 3;
const TAIL = 80; // letters of an answer that grows beside the stage
const LINE = 14;

function face(entry) {
  return entry.pictures.slice(0, 1).map((src) => make("img", { src, alt: say("wall-picture", { name: entry.name }) }));
}

function item(entry, ...parts) {
  return make("li", { className: entry.pictures.length ? "" : "wordless" }, ...face(entry), ...parts);
}

function words(entry) {
  return plain(entry.sections.map(({ text }) => text).join(" · "));
}

function also(entry) {
  const text = words(entry);
  const end = text.length > TAIL ? `…${text.slice(-TAIL)}` : text; // where it grows
  return item(entry, make("p", { textContent: end || say("wall-looking") }));
}

function liked(entry) {
  const count = entry.sections.reduce((sum, { votes }) => sum + votes, 0);
  const likes = make("span", { className: "likes", textContent: `👍 ${count}` });
  return item(entry, make("p", { textContent: words(entry) }), likes);
}

function waiting(entry) {
  const place = entry.place === null ? "" : String(entry.place);
  const wait = entry.seconds === null ? "" : say("wall-seconds", { seconds: entry.seconds });
  return item(entry, make("span", { className: "place", textContent: place }), make("small", { textContent: wait }));
}

/** Replaces a list only when it would look different: pictures do not flicker. */
function fill(id, entries, draw) {
  const list = find(id);
  const state = JSON.stringify(entries);
  if (list.dataset.state === state) return;
  list.dataset.state = state;
  list.replaceChildren(...entries.map(draw));
  const part = find(`${id}-part`);
  if (id !== "line") part.hidden = !entries.length;
  else part.classList.toggle("none", !entries.length);
}

export function drawSide(entries, likedIds, featured) {
  const others = entries.filter((entry) => entry.state === "answering" && entry.id !== featured);
  fill("also", others.slice(-ALSO), also);
  fill("liked", likedIds.map((id) => entries.find((entry) => entry.id === id)).filter(Boolean), liked);
  const line = entries.filter((entry) => entry.state === "waiting").sort((a, b) => (a.place ?? Infinity) - (b.place ?? Infinity));
  fill("line", line.slice(0, LINE), waiting);
}
