// Offers the bot's commands while one is typed: arrow keys choose, Tab or Enter takes, Escape closes.

import { find, make } from "./dom.js";

const LIST = "completions";

export class Completion {
  #field = find("question");
  #list = find(LIST);
  #found = [];
  #at = 0;

  /** `commands()`: what there is, as { name, description }. `taken()`: the field's text was changed. */
  constructor(commands, taken) {
    this.commands = commands;
    this.taken = taken;
    const set = (name, value) => this.#field.setAttribute(name, value);
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", LIST], ["aria-expanded", "false"]]) set(name, value);
    this.#field.addEventListener("input", () => this.#look());
    this.#field.addEventListener("blur", () => this.#show([]));
    this.#field.addEventListener("keydown", (event) => this.#key(event), { capture: true }); // before Enter sends
  }

  #look() {
    const typed = /^\/(\S*)$/.exec(this.#field.value)?.[1];
    this.#at = 0;
    this.#show(typed === undefined ? [] : this.commands().filter(({ name }) => name.startsWith(typed.toLowerCase())));
  }

  #key(event) {
    if (!this.#found.length || event.isComposing) return;
    const actions = {
      ArrowDown: () => this.#move(1),
      ArrowUp: () => this.#move(-1),
      Tab: () => this.#take(),
      Enter: () => this.#take(),
      Escape: () => this.#show([]),
    };
    // A command that is typed in full is sent by Enter.
    if (event.key === "Enter" && this.#field.value === `/${this.#found[this.#at].name}`) return this.#show([]);
    if (!actions[event.key] || event.shiftKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    actions[event.key]();
  }

  #move(step) {
    this.#at = (this.#at + step + this.#found.length) % this.#found.length;
    this.#show(this.#found);
  }

  #take() {
    this.#field.value = `/${this.#found[this.#at].name} `;
    this.#show([]);
    this.taken();
  }

  #show(found) {
    this.#found = found;
    this.#list.hidden = !found.length;
    this.#field.setAttribute("aria-expanded", String(found.length > 0));
    this.#list.replaceChildren(...found.map((command, index) => this.#option(command, index)));
    if (found.length) this.#field.setAttribute("aria-activedescendant", `${LIST}-${this.#at}`);
    else this.#field.removeAttribute("aria-activedescendant");
    this.#list.children[this.#at]?.scrollIntoView({ block: "nearest" });
  }

  #option({ name, description }, index) {
    const option = make("li", { id: `${LIST}-${index}` }, make("b", { textContent: `/${name}` }), make("span", { textContent: description }));
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", String(index === this.#at));
    option.onpointerdown = (event) => {
      event.preventDefault(); // the field keeps the focus
      this.#at = index;
      this.#take();
    };
    return option;
  }
}
