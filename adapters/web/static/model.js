// The header: which model answers, by a name that people know, and what it says of itself: once in full, later folded.

import { find } from "./dom.js";
import { say } from "./texts.js";

const KEY = "gander.notice"; // the notice that this person has read
const NAMES = { pocket: "model-pocket" };

/** A model's name in words: a folder or a repository by its own name alone. */
function inWords(model) {
  return NAMES[model] ? say(NAMES[model]) : model.split(/[\\/]/).pop() || "Gander";
}

export class Model {
  #notice = null; // nothing was said yet

  constructor() {
    find("about").onclick = () => this.#fold(!find("notice").hidden);
  }

  show({ model, notice }) {
    find("model-name").textContent = inWords(model);
    find("model-name").title = model;
    if (notice === this.#notice) return; // said again, and perhaps opened or folded since
    this.#notice = notice;
    find("notice").textContent = notice;
    find("about").hidden = !notice;
    this.#fold(!notice || localStorage.getItem(KEY) === notice);
  }

  /** The person got an answer: what the model is has been on the screen. */
  read() {
    if (this.#notice) localStorage.setItem(KEY, this.#notice);
  }

  #fold(folded) {
    find("notice").hidden = folded;
    find("about").setAttribute("aria-expanded", String(!folded));
    if (folded) this.read();
  }
}
