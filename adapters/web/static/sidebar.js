// The list of conversations with their search; on a narrow page it slides in over the conversation.

import { find, firstWords, icon, make } from "./dom.js";
import { morph } from "./morph.js";
import { say } from "./texts.js";

const PAUSE = 250; // milliseconds without a letter until it is searched

/** "14:05" today, else the date, with the year where it is another one. */
function when(at) {
  const date = new Date(at);
  const now = new Date();
  const today = date.toDateString() === now.toDateString();
  const day = { day: "numeric", month: "short", ...(date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }) };
  return new Intl.DateTimeFormat(document.documentElement.lang, today ? { hour: "2-digit", minute: "2-digit" } : day).format(date);
}

function entryItem({ id, title, picture, at }, current) {
  const words = make("span", { className: "title", dir: "auto", textContent: firstWords(title) });
  const face = picture ? make("img", { src: picture, alt: "", loading: "lazy" }) : icon("talk");
  const button = make("button", { type: "button" }, face, words, make("time", { textContent: when(at), dateTime: at }));
  button.dataset.entry = id;
  if (id === current) button.setAttribute("aria-current", "true");
  return make("li", {}, button);
}

export class Sidebar {
  #timer = 0;

  /** `actions`: open(an entry's id), fresh(), older(), search(words). */
  constructor(actions) {
    find("new-conversation").onclick = () => this.#leave(actions.fresh);
    find("older").onclick = actions.older;
    find("open-sidebar").onclick = () => this.#toggle(!document.body.classList.contains("sidebar-open"));
    find("scrim").onclick = () => this.#toggle(false);
    find("sidebar").addEventListener("keydown", (event) => event.key === "Escape" && this.#toggle(false));
    find("conversations").onclick = (event) => {
      const entry = event.target.closest("[data-entry]")?.dataset.entry;
      if (entry) this.#leave(() => actions.open(entry));
    };
    find("search").oninput = () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => actions.search(find("search").value), PAUSE);
    };
  }

  /** `entries`: { id, title, picture, at }, newest first; `current`: the id of the one on the screen. */
  draw(entries, current, { more, searching }) {
    const none = make("li", { className: "small", textContent: say(searching ? "nothing-found" : "no-conversations") });
    const items = entries.length ? entries.map((entry) => entryItem(entry, current)) : [none];
    morph(find("conversations"), make("ul", {}, ...items));
    find("older").hidden = !more;
  }

  #leave(action) {
    this.#toggle(false);
    action();
  }

  #toggle(open) {
    const was = document.body.classList.toggle("sidebar-open", open) !== open;
    find("scrim").hidden = !open;
    find("open-sidebar").setAttribute("aria-expanded", String(open));
    if (open) find("new-conversation").focus();
    else if (was) find("open-sidebar").focus();
  }
}
