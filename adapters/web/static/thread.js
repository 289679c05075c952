// Shows one path through the graph, and what is said beside it. What is on the screen stays there while the rest changes.

import { find, make } from "./dom.js";
import { Follower } from "./follow.js";
import { markdown } from "./markdown.js";
import { MessageView, commandButtons, pressable } from "./message.js";
import { arrange } from "./morph.js";
import { pictureGrid } from "./picture-grid.js";
import { Viewer } from "./viewer.js";

const BEFORE = "before "; // with a first message's id: what was said before it
const NOTHING = ""; // in the place of a message's id: an empty conversation

function fileOf({ name, url }) {
  const shown = /\.(png|jpg)$/.test(name);
  return shown ? make("img", { src: url, alt: name, className: "enclosed" }) : make("a", { href: url, download: name, textContent: name });
}

export class Thread {
  #views = new Map(); // message id → its view
  #asides = new Map(); // message id, or NOTHING → what the bot said beside it, in order
  #list = find("messages");
  #path = []; // what is on the screen

  /** `actions`: reply(message), press(button, message), choose(id), type(command), begin(command), explain(message). */
  constructor(graph, actions) {
    this.graph = graph;
    const viewer = new Viewer((message, region) => this.#zoom(message, region));
    this.actions = { ...actions, enlarge: (url, message) => viewer.show(url, message) };
    this.follower = new Follower(find("thread"), this.#list, (away) => (find("to-end").hidden = !away));
    find("to-end").onclick = () => this.toEnd();
    document.addEventListener("gander:library", () => this.#redraw());
  }

  show(path) {
    this.#path = path;
    for (const message of path) this.#view(message).update(message, this.graph.siblings(message.id), this.graph.waits(message));
    const items = path.flatMap((message) => [this.#view(message).element, ...(this.#asides.get(message.id) ?? [])]);
    const before = this.#asides.get(path.length ? BEFORE + path[0].id : NOTHING) ?? [];
    arrange(this.#list, [...before, ...items]);
    find("welcome").hidden = path.length + before.length > 0;
  }

  /** Something that the bot says beside the conversation, such as the answer to a command. It goes with the page. */
  aside(anchor, command, message) {
    const asides = this.#asides.get(anchor ?? NOTHING) ?? [];
    const known = asides.find((item) => item.dataset.id === message.id);
    const item = make("li", { className: "aside" }, make("p", { className: "command", textContent: command, hidden: !command }));
    item.append(pressable(make("div", { className: "text" }, ...markdown(message.text)), this.actions));
    const { files = [], actions = [], across = 0 } = message;
    const shown = files.map(fileOf);
    if (across && shown.length === 1) item.append(pictureGrid(shown[0], actions, across, this.actions));
    else item.append(...shown, ...(actions.length ? [this.#commands(actions, across)] : []));
    item.dataset.id = message.id;
    this.#asides.set(anchor ?? NOTHING, known ? asides.map((other) => (other === known ? item : other)) : [...asides, item]);
  }

  #commands(actions, across) {
    const commands = make("div", { className: across ? "commands grid" : "commands" }, ...commandButtons(actions, this.actions));
    commands.style.setProperty("--across", across || 1);
    return commands;
  }

  /** A first question: what was said on the empty page stands before it. */
  adoptAsides(id) {
    this.#moveAsides(NOTHING, BEFORE + id);
  }

  /** The question was not taken: the page is empty again. */
  releaseAsides(id) {
    this.#moveAsides(BEFORE + id, NOTHING);
  }

  #moveAsides(from, to) {
    const asides = this.#asides.get(from);
    this.#asides.delete(from);
    if (asides) this.#asides.set(to, asides);
  }

  /** An empty conversation is a new one: what was said beside the last one is not said beside this. */
  clearAsides() {
    this.#asides.delete(NOTHING);
  }

  /** Draws everything anew, in another language. Asides stay as they were said. */
  forget() {
    this.#views.clear();
  }

  toEnd() {
    this.follower.toEnd();
  }

  #view(message) {
    if (!this.#views.has(message.id)) this.#views.set(message.id, new MessageView(message, this.actions));
    return this.#views.get(message.id);
  }

  #redraw() {
    for (const message of this.#path) this.#view(message).redraw(message, this.graph.siblings(message.id), this.graph.waits(message));
  }

  /** Begins a question about a part of a picture; in reply to its message, unless that is the newest that shows one. */
  #zoom(message, region) {
    const newest = this.#path.findLast(({ pictures }) => pictures.length);
    if (message.id !== newest?.id) this.actions.reply(message);
    this.actions.begin(`/zoom ${region}`);
  }
}
