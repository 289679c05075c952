// What can be done with the conversation on the screen: another title, an export, its end.

import * as api from "./api.js";
import { find } from "./dom.js";
import { say } from "./texts.js";

export class Toolbar {
  #key = null;
  #title = "";

  /** `gone(key)`: the conversation was deleted. `failed(trouble)`. Other changes come as news from the server. */
  constructor(gone, failed) {
    this.gone = gone;
    this.failed = failed;
    find("rename").onclick = () => this.#ask();
    find("rename-form").onsubmit = () => this.#try(() => api.rename(this.#key, find("new-title").value));
    find("delete").onclick = () => this.#confirm();
    find("delete-form").onsubmit = () => this.#try(() => this.#delete());
    for (const button of document.querySelectorAll("[data-closes]")) button.onclick = () => find(button.dataset.closes).close();
  }

  /** `key` null: nothing on the screen that is stored. */
  draw(key, title) {
    this.#key = key;
    this.#title = title;
    find("toolbar").hidden = key === null;
    find("export").href = `/api/conversations/${key}/export`;
  }

  #ask() {
    find("new-title").value = this.#title;
    find("renaming").showModal();
    find("new-title").select();
  }

  #confirm() {
    find("delete-what").textContent = say("delete-what", { title: this.#title });
    find("deleting").showModal();
  }

  async #delete() {
    const key = this.#key;
    await api.forget(key);
    this.gone(key);
  }

  async #try(action) {
    try {
      await action();
    } catch (trouble) {
      this.failed(trouble);
    }
  }
}
