// The messages of this person as a tree, and which way through it is on the screen. Knows no page, so that it can be tested alone.
//
// Every message has its place from the moment it is known: an answer that waits is as real as one that is written, and what is
// asked meanwhile comes after it. What arrives never changes the way that somebody looks at; a way changes by `choose` alone.

export class Graph {
  #messages = new Map();
  #children = new Map(); // parent's id, or "" for the first messages → ids
  #chosen = new Map(); // parent's id → the child that was last looked at
  #count = 0; // of messages that ever came

  get(id) {
    return this.#messages.get(id);
  }

  /**
   * Adds a message, or brings it up to date; returns it whole. Without a `parent` it stays where it is: one that is new
   * begins a conversation until its parent is told. What is finished stays so, whatever comes late.
   */
  put(message) {
    const known = this.#messages.get(message.id);
    if (!known) return this.#add(message);
    const { parent = known.parent, ...rest } = known.final && message.final === false ? placeOf(message) : message;
    Object.assign(known, rest);
    this.#move(known, parent);
    return known;
  }

  /**
   * Takes in what the server found when it looked, which live events may have overtaken: they are not taken back. What it no
   * longer has goes, as far back as it looked (`since`, a number), or of the conversation at which it looked (its key `of`), but for
   * what has no number yet: that is on its way.
   */
  merge(messages, { since = Infinity, of = null } = {}) {
    const found = new Set(messages.map(({ id }) => id));
    const seen = ({ number, conversation }) => number >= since || (of !== null && number !== undefined && conversation === of);
    for (const message of [...this.#messages.values()]) if (seen(message) && !found.has(message.id)) this.remove(message.id);
    for (const message of messages) {
      const known = this.get(message.id);
      this.put(known?.text && !message.final ? placeOf(message) : message); // an answer's words are stored when it ends
    }
  }

  remove(id) {
    const message = this.#messages.get(id);
    if (!message) return;
    this.#messages.delete(id);
    this.#leave(message);
  }

  children(id) {
    return this.#children.get(id ?? "") ?? [];
  }

  /** The messages that stand in each other's place: of first messages those of the same conversation. */
  siblings(id) {
    const { parent } = this.get(id);
    if (this.get(parent)) return this.children(parent);
    const key = this.key(id);
    if (key === null) return [id];
    const first = this.#first().filter((message) => this.key(message.id) === key);
    return first.sort((a, b) => order(a) - order(b) || a.came - b.came).map((message) => message.id);
  }

  /** The server's name of the conversation that a message is in; null: it is not stored yet. */
  key(id) {
    for (let message = this.get(id); message; message = this.get(message.parent)) if (message.conversation) return message.conversation;
    return null;
  }

  /** The first message of a conversation that was spoken in last, of those that are known; null: none is. */
  rootOf(key) {
    return this.roots().find(({ id }) => this.key(id) === key)?.id ?? null;
  }

  /** The first message of its conversation. A message whose parent is not known (older than what was fetched) is one, too. */
  root(id) {
    let message = this.get(id);
    while (message && this.get(message.parent)) message = this.get(message.parent);
    return message?.id ?? null;
  }

  /** From the first message down, at every fork the way that was last looked at, else to the newest message. */
  path(root) {
    const newest = this.#newest();
    const messages = [];
    for (let message = this.get(root); message; message = this.#next(message.id, newest)) messages.push(message);
    return messages;
  }

  /** What comes next to this path is not to lead away from it. */
  keep(path) {
    for (const message of path.slice(1)) this.#chosen.set(message.parent, message.id);
  }

  /** Makes the path lead through this message, and on to the newest after it. */
  choose(id) {
    for (let message = this.get(id); message; message = this.get(message.parent)) this.#chosen.set(message.parent ?? "", message.id);
  }

  /** The first message of each conversation, the one spoken in last first; of several the one that was spoken after last. */
  roots() {
    const newest = this.#newest();
    const roots = this.#first().sort((a, b) => newest.get(b.id) - newest.get(a.id) || b.came - a.came);
    const seen = new Set();
    return roots.filter(({ id, conversation = id }) => !seen.has(conversation) && seen.add(conversation));
  }

  /** The answer that is being written, or will be next, on this path; those behind it wait for it. */
  unfinished(path) {
    return path.find((message) => message.role === "bot" && !message.final);
  }

  /** Whether this answer waits for another one before it. */
  waits(message) {
    const before = this.get(this.get(message.parent)?.parent);
    return !message.final && before?.role === "bot" && !before.final;
  }

  #first() {
    return [...this.#messages.values()].filter((message) => !this.get(message.parent));
  }

  #add(message) {
    const whole = { parent: null, text: "", footer: "", buttons: [], pictures: [], final: true, ...message, came: (this.#count += 1) };
    this.#messages.set(whole.id, whole);
    this.#join(whole);
    return whole;
  }

  #move(message, parent) {
    const chosen = this.#chosen.get(message.parent ?? "") === message.id;
    this.#leave(message);
    message.parent = parent;
    this.#join(message);
    if (chosen) this.#chosen.set(parent ?? "", message.id);
  }

  /** Siblings stand in the order of the store; what is not stored yet comes last. */
  #join(message) {
    const siblings = [...this.children(message.parent), message.id];
    siblings.sort((a, b) => order(this.get(a)) - order(this.get(b)) || this.get(a).came - this.get(b).came);
    this.#children.set(message.parent ?? "", siblings);
  }

  #leave({ id, parent }) {
    this.#children.set(parent ?? "", this.children(parent).filter((other) => other !== id));
    if (this.#chosen.get(parent ?? "") === id) this.#chosen.delete(parent ?? "");
  }

  #next(id, newest) {
    const children = this.children(id);
    const chosen = this.#chosen.get(id);
    if (children.includes(chosen)) return this.get(chosen);
    return this.get([...children].sort((a, b) => newest.get(a) - newest.get(b) || this.get(a).came - this.get(b).came).at(-1));
  }

  /** For each message the order of the newest one in its branch. */
  #newest() {
    const newest = new Map();
    for (const message of [...this.#messages.values()].sort((a, b) => order(b) - order(a))) {
      for (let above = message; above && !newest.has(above.id); above = this.get(above.parent)) newest.set(above.id, order(message));
    }
    return newest;
  }
}

/** Of a message that was overtaken: what it is and where it stands, without what it says. */
function placeOf(message) {
  const { id, parent, number, at } = message;
  return Object.fromEntries(Object.entries({ id, parent, number, at }).filter(([, value]) => value !== undefined));
}

/** The store's number; an answer's is in every event. */
function order(message) {
  return message.number ?? message.answer ?? Number.MAX_SAFE_INTEGER;
}
