// The person's conversations as the server lists them: the newest, as many as were asked for, or those that a search found.

import * as api from "./api.js";

const SOON = 300; // milliseconds after news until the list is fetched again

export class Conversations {
  entries = []; // { key, title, picture, at, newest }
  more = false; // older ones exist on the server
  #search = "";
  #pages = 1; // of the list that were asked for
  #timer = 0;

  /** `changed()`: the list is another one. `failed(trouble)`: it could not be fetched. */
  constructor(changed, failed) {
    this.changed = changed;
    this.failed = failed;
  }

  get searching() {
    return this.#search !== "";
  }

  /** The list's first page, as it came with the page itself. */
  begin({ conversations, more }) {
    this.entries = conversations;
    this.more = more;
  }

  get(key) {
    return this.entries.find((entry) => entry.key === key);
  }

  search(words) {
    this.#search = words.trim();
    this.#pages = 1;
    this.look();
  }

  older() {
    this.#pages += 1;
    this.look();
  }

  /** Something was said: the list is fetched again in a moment. */
  news() {
    this.#timer ||= setTimeout(() => this.look(), SOON);
  }

  async look() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const search = this.#search;
    try {
      const found = await this.#fetch(search);
      if (search !== this.#search) return; // something else was typed meanwhile
      Object.assign(this, found);
      this.changed();
    } catch (trouble) {
      this.failed(trouble);
    }
  }

  async #fetch(search) {
    const entries = [];
    let more = true;
    for (let page = 0; more && page < this.#pages; page += 1) {
      const found = await api.conversations(search, entries.at(-1)?.newest);
      entries.push(...found.conversations);
      more = found.more;
    }
    return { entries, more };
  }
}
