// The wall's stage: one entry, large. It chooses which, gives each its time, and makes the words as large as they fit.

import { find, icon, make } from "./dom.js";
import { folded } from "./steps.js";
import { say } from "./texts.js";
import { backdrop } from "./wall-backdrop.js";

const DWELL = 9; // seconds that a finished answer stays at least
const FEW_WORDS = 6; // by which a growing answer is longer before its maps are asked for anew
const LONGEST = 30; // seconds that one answer may keep the stage while it grows
const SMALLEST = () => Math.min(24, Math.max(13, innerWidth / 60)); // pixels: readable from the back of the room
const LARGEST = () => Math.max(26, innerHeight / 14);

/** Bold is all the Markdown that a wall shows; the rest goes without its marks. */
export function plain(text) {
  return text.replace(/^#+\s+/gm, "").replace(/([*_`]{1,3})([^\s*_`](?:[^*_`\n]*[^\s*_`])?)\1/g, "$2");
}

function has(entry) {
  return entry.sections.some((section) => section.text);
}

/** How many words the answer has; an ideograph is one. */
function length(entry) {
  return entry.sections[0]?.text.match(/[\u2e80-\uffff]|[^\s\u2e80-\uffff]+/g)?.length ?? 0;
}

/** Makes the words as large as their box allows; what does not fit at the smallest size is rolled through (`roll`). */
function fit(box) {
  let low = SMALLEST();
  let high = LARGEST();
  while (high - low > 1) {
    const middle = (low + high) / 2;
    box.style.fontSize = `${middle}px`;
    if (box.scrollHeight > box.clientHeight) high = middle;
    else low = middle;
  }
  box.style.fontSize = `${low}px`;
}

/** Shows the part of words that do not fit which it is time for: `share` 0 is their beginning, 1 their end. */
function roll(share) {
  for (const box of document.querySelectorAll(".words")) box.scrollTop = share * (box.scrollHeight - box.clientHeight);
}

export class Stage {
  featured = null; // the id of the entry on the stage
  #since = 0; // when it came there, or was finished
  #shown = new Map(); // id → when it was last on the stage, for those that still exist
  #drawn = ""; // what of it is drawn
  maps = false; // answers are shown with where they looked
  #map = { id: null, image: null, words: 0, waiting: false }; // the newest of the answer on the stage, and of how many words it is

  constructor(entries, hide, mapsAt = "") {
    this.entries = entries;
    this.hide = hide;
    this.mapsAt = mapsAt;
  }

  /** Called every second: is it somebody else's turn? */
  turn() {
    for (const id of this.#shown.keys()) if (!this.entries.has(id)) this.#shown.delete(id);
    const current = this.entries.get(this.featured);
    const age = (Date.now() - this.#since) / 1000;
    roll(current?.state === "done" ? Math.min(1, Math.max(0, age - 2) / (DWELL - 3)) : 1);
    if (current && age < (current.state === "answering" ? LONGEST : DWELL)) return;
    const next = this.#next();
    if (next && next.id !== this.featured) this.#feature(next);
  }

  /** Whoever was not shown yet goes first, those being answered before the rest; then whoever was shown longest ago. */
  #next() {
    const ready = [...this.entries.values()].filter((entry) => entry.state === "answering" || (entry.state === "done" && has(entry)));
    const fresh = ready.filter((entry) => !this.#shown.has(entry.id));
    const rank = (entry) => this.#shown.get(entry.id) ?? 0;
    return fresh.findLast((entry) => entry.state === "answering") ?? fresh.at(-1) ?? ready.sort((a, b) => rank(a) - rank(b))[0];
  }

  #feature(entry) {
    this.featured = entry.id;
    this.#since = Date.now();
    this.#shown.set(entry.id, this.#since);
    this.#drawn = "";
    this.draw();
  }

  draw() {
    const entry = this.entries.get(this.featured);
    if (!entry) {
      this.featured = null;
      this.turn();
      if (this.featured === null) this.#show(find("empty"));
      return;
    }
    const state = JSON.stringify([entry, this.maps]);
    if (state === this.#drawn) return;
    if (entry.state === "done" && this.#drawn.includes('"state":"answering"')) this.#since = Date.now();
    this.#drawn = state;
    this.#show(this.#article(entry));
    this.fit();
  }

  fit() {
    for (const box of document.querySelectorAll(".words")) fit(box);
    roll(this.entries.get(this.featured)?.state === "done" ? 0 : 1);
  }

  #show(node) {
    const stage = find("stage");
    find("empty").hidden = node.id !== "empty";
    stage.querySelector("article")?.remove();
    if (node.id !== "empty") stage.append(node);
  }

  #article(entry) {
    const compared = entry.sections.length > 1;
    const article = make("article", { className: `${entry.state}${compared ? " compared" : ""}${entry.pictures.length ? "" : " wordless"}` });
    article.dataset.id = entry.id;
    const by = entry.name && say("wall-by", { name: entry.name });
    const asked = make("header", {}, make("h2", { textContent: plain(entry.asked) }), make("p", { className: "by", textContent: by }));
    const pictures = entry.pictures.slice(0, 1).flatMap((src) => [
      backdrop(src),
      this.#picture(entry, src, compared),
    ]);
    article.append(...pictures, asked, this.#answer(entry, compared));
    if (this.hide) article.append(this.#hideButton(entry));
    return article;
  }

  /** Where the presenter wants it, the picture gives way to where each word looked: while the answer grows, and of all of it at last. */
  #picture(entry, src, compared) {
    const image = make("img", { src, alt: say("wall-picture", { name: entry.name }), className: "seen" });
    if (!this.maps || compared || !has(entry)) return image;
    const words = entry.state === "done" ? Infinity : length(entry);
    if (this.#map.id !== entry.id || this.#map.words > words) this.#map = { id: entry.id, image: null, words: 0, waiting: false };
    const due = words === Infinity ? this.#map.words < words : words >= this.#map.words + (this.#map.words && FEW_WORDS);
    if (due && words && !this.#map.waiting) this.#look(entry, words);
    return this.#map.image ?? image;
  }

  /** Asks for the maps of so many words; there is one question at a time, since an answer may grow faster than it is explained. */
  async #look(entry, words) {
    const map = this.#map;
    Object.assign(map, { words, waiting: true });
    const address = words === Infinity ? `${this.mapsAt}/${entry.id}` : `${this.mapsAt}/${entry.id}?words=${words}`;
    const image = await lookedAt(address, say("wall-map", { name: entry.name })).catch(() => null);
    map.waiting = false;
    if (this.#map !== map || this.featured !== map.id) return;
    if (image) map.image = image;
    this.#drawn = "";
    this.draw();
  }

  #answer(entry, compared) {
    const sections = entry.sections.length ? entry.sections : [{ label: "", text: "", votes: 0 }];
    const most = Math.max(1, ...sections.map((section) => section.votes));
    const box = make("div", { className: "answers" });
    box.style.setProperty("--columns", sections.length);
    for (const { label, text, votes } of sections) {
      const part = make("section", {});
      if (compared) part.append(make("h3", { textContent: label }));
      part.append(make("div", { className: text ? "words" : "words looking", textContent: plain(text) || say("wall-looking") }));
      if (compared || votes) part.append(tally(votes, most));
      box.append(part);
    }
    if (entry.steps) box.append(folded(entry.steps, entry.seen));
    return box;
  }

  #hideButton(entry) {
    const button = make("button", { type: "button", className: "hide", onclick: () => this.hide(entry) }, icon("close"), say("wall-hide"));
    button.setAttribute("aria-label", `${say("wall-hide")}: ${plain(entry.asked)}`);
    return button;
  }
}

/** The drawing as an image whose words say where each word looked. Throws where there is none. */
async function lookedAt(address, alt) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(response.statusText);
  const drawing = await response.text();
  const told = new DOMParser().parseFromString(drawing, "image/svg+xml").querySelector("desc").textContent;
  const image = make("img", { alt: `${alt}. ${told}`, className: "seen" });
  image.dataset.words = address;
  image.src = URL.createObjectURL(new Blob([drawing], { type: "image/svg+xml" }));
  await image.decode().finally(() => URL.revokeObjectURL(image.src));
  return image;
}

function tally(votes, most) {
  const bar = make("span", { className: "bar" });
  bar.style.setProperty("--share", votes / most);
  const count = make("p", { className: "votes" }, make("span", { textContent: `👍 ${votes}` }), bar);
  count.setAttribute("aria-label", say("wall-votes", { count: votes }));
  count.setAttribute("role", "img");
  return count;
}
