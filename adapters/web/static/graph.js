// The messages of this person as a tree, and which way through it is on the screen. Knows no page, so that it can be tested alone.

const WAITS = /^stored-/;

export class Graph {
  #messages = new Map();
  #answers = new Map(); // an answer's number → its message's id
  #children = new Map(); // parent's id, or "" for the first messages → ids, oldest first
  #chosen = new Map(); // parent's id → the child that was last looked at

  get(id) {
    return this.#messages.get(id);
  }

  /**
   * Adds a message, or brings it up to date; returns it whole. An answer is known by its number as well: one that waits
   * is named by the store, and by its message as soon as there is one. It stays where it was first put: the store knows
   * what it follows, a message only what it replies to.
   */
  put(message) {
    const known = this.#messages.get(message.id);
    if (known) return Object.assign(known, message, { parent: known.parent });
    const same = message.answer && this.get(this.#answers.get(message.answer));
    if (same && WAITS.test(message.id)) return same;
    if (same) this.remove(same.id);
    return this.#add(same ? { ...message, parent: same.parent } : message);
  }

  #add(message) {
    const whole = { parent: null, text: "", footer: "", buttons: [], pictures: [], final: true, ...message };
    this.#messages.set(whole.id, whole);
    if (whole.answer) this.#answers.set(whole.answer, whole.id);
    const siblings = this.children(whole.parent);
    siblings.push(whole.id);
    this.#children.set(whole.parent ?? "", siblings);
    this.#chosen.set(whole.parent ?? "", whole.id);
    return whole;
  }

  remove(id) {
    const message = this.#messages.get(id);
    if (!message) return;
    this.#messages.delete(id);
    const key = message.parent ?? "";
    this.#children.set(key, this.children(key).filter((other) => other !== id));
    if (this.#chosen.get(key) === id) this.#chosen.delete(key);
  }

  clear() {
    this.#messages.clear();
    this.#answers.clear();
    this.#children.clear();
  }

  children(id) {
    return this.#children.get(id ?? "") ?? [];
  }

  siblings(id) {
    return this.children(this.get(id).parent);
  }

  /** The first message of its conversation. A message whose parent is not known (older than what was fetched) is one, too. */
  root(id) {
    let message = this.get(id);
    while (message && this.get(message.parent)) message = this.get(message.parent);
    return message?.id ?? null;
  }

  /** From the first message down to the newest of the chosen branch. */
  path(root) {
    const messages = [];
    for (let message = this.get(root); message; message = this.#next(message.id)) messages.push(message);
    return messages;
  }

  #next(id) {
    const children = this.children(id);
    const chosen = this.#chosen.get(id);
    return this.get(children.includes(chosen) ? chosen : children.at(-1));
  }

  /** Makes the path lead through this message. */
  choose(id) {
    for (let message = this.get(id); message; message = this.get(message.parent)) this.#chosen.set(message.parent ?? "", message.id);
  }

  /** First messages of all conversations, the one spoken in last first. */
  roots() {
    const newest = new Map();
    for (const message of this.#messages.values()) {
      const root = this.root(message.id);
      if (!newest.has(root) || newest.get(root) < message.at) newest.set(root, message.at);
    }
    return [...newest].sort(([, a], [, b]) => (a < b ? 1 : -1)).map(([root]) => this.get(root));
  }

  /** The answer that is still being written on this path, if any. */
  unfinished(path) {
    return path.findLast((message) => message.role === "bot" && !message.final);
  }
}
