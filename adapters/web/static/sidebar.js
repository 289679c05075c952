// The list of conversations; on a narrow page it slides in over the conversation.

import { find, firstWords, icon, make } from "./dom.js";
import { morph } from "./morph.js";
import { say } from "./texts.js";

export class Sidebar {
  /** `actions`: open(root id), fresh(), older(). */
  constructor(actions) {
    this.actions = actions;
    find("new-conversation").onclick = () => this.#leave(actions.fresh);
    find("older").onclick = actions.older;
    find("open-sidebar").onclick = () => this.#toggle(!document.body.classList.contains("sidebar-open"));
    find("scrim").onclick = () => this.#toggle(false);
    find("sidebar").addEventListener("keydown", (event) => event.key === "Escape" && this.#toggle(false));
    find("conversations").onclick = (event) => {
      const root = event.target.closest("[data-root]")?.dataset.root;
      if (root) this.#leave(() => actions.open(root));
    };
  }

  draw(roots, current, more) {
    const entry = (root) => {
      const [picture] = root.pictures;
      const words = make("span", { dir: "auto", textContent: firstWords(root.text) });
      const button = make("button", { type: "button" }, picture ? make("img", { src: picture, alt: "", loading: "lazy" }) : icon("talk"), words);
      button.dataset.root = root.id;
      if (root.id === current) button.setAttribute("aria-current", "true");
      return make("li", {}, button);
    };
    const empty = make("li", { className: "small", textContent: say("no-conversations") });
    morph(find("conversations"), make("ul", {}, ...(roots.length ? roots.map(entry) : [empty])));
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
