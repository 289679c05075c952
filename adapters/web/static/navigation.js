// Which conversations there are, which one is opened, and what of it is here already: the page begins with the newest messages of all.

import { addressed } from "./address.js";
import * as api from "./api.js";
import { Conversations } from "./conversations.js";

export class Navigation {
  more = false; // messages older than those that the page began with exist on the server
  going = null; // the key of the conversation that is being fetched to be opened
  #whole = new Set(); // the keys of those that are here from their first message on

  /** `screen`: open(root), lost(), left(key), draw(), failed(trouble). */
  constructor(graph, screen) {
    this.graph = graph;
    this.screen = screen;
    this.conversations = new Conversations(screen.draw, screen.failed);
  }

  /** The newest messages of all, as the server has them now. */
  takeNewest({ messages, more }) {
    this.graph.merge(messages, { since: more ? messages[0].number : 0 });
    this.more = more;
    this.#whole.clear();
  }

  /** All messages of one conversation. */
  take(key, { messages }) {
    this.graph.merge(messages, { of: key });
    this.#whole.add(key);
  }

  /** Opens a conversation by the server's name, or by its first message where it has none yet. */
  async go(entry) {
    this.going = null;
    const root = this.graph.get(entry) ? entry : this.graph.rootOf(entry);
    if (root) this.screen.open(root);
    if (this.graph.get(entry) || !this.more || this.#whole.has(entry)) return root ?? this.screen.lost();
    this.going = entry;
    try {
      await this.#fetch(entry);
    } catch (trouble) {
      this.screen.failed(trouble);
    }
  }

  async #fetch(key) {
    const found = await api.conversation(key);
    this.take(key, found);
    if (this.going !== key) return; // another one was chosen meanwhile
    this.going = null;
    if (found.messages.length) this.screen.open(this.graph.rootOf(key));
    else this.screen.lost();
  }

  /** Opens what the address names. */
  async visit() {
    const key = addressed();
    if (key) await this.go(key);
    else this.screen.open(null);
  }

  /** It was deleted. */
  forget(key) {
    this.screen.left(key);
    this.graph.merge([], { of: key });
    this.conversations.look();
  }

  /** The list: the server's, under what it has not listed yet. */
  entries() {
    const listed = this.conversations.entries.map((entry) => ({ ...entry, id: entry.key }));
    if (this.conversations.searching) return listed;
    return [...this.#unlisted(listed[0]?.newest ?? 0), ...listed];
  }

  #unlisted(newest) {
    const fresh = ({ id, role, number = Infinity }) => role === "person" && number > newest && !this.conversations.get(this.graph.key(id));
    const entry = ({ id, text, pictures, at }) => ({ id: this.graph.key(id) ?? id, title: text, picture: pictures[0], at });
    return this.graph.roots().filter(fresh).map(entry);
  }
}
