// Shows one path through the graph. Only what changed is drawn again, so that a long conversation streams smoothly.

import { copyText } from "./code.js";
import { find, icon, iconButton, make, spoken } from "./dom.js";
import { markdown } from "./markdown.js";
import { say } from "./texts.js";

const NEAR_END = 120; // pixels from the bottom within which the page follows the answer

function pictureButton(url, number, show) {
  const label = say("picture", { number: number + 1 });
  const button = make("button", { type: "button", className: "picture", onclick: () => show(url) }, make("img", { src: url, alt: "" }));
  button.setAttribute("aria-label", label);
  return button;
}

/** A comparison: each value's answer under its name, side by side where there is room. */
function columns(sections) {
  const one = ({ label, text }) => make("section", {}, make("h3", { textContent: label }), ...markdown(text || "…"));
  return make("div", { className: "text columns" }, ...sections.map(one));
}

function fileOf({ name, url }) {
  const shown = /\.(png|jpg)$/.test(name);
  return shown ? make("img", { src: url, alt: name, className: "enclosed" }) : make("a", { href: url, download: name, textContent: name });
}

export class Thread {
  #items = new Map(); // message id → its element
  #asides = new Map(); // message id, or "" for an empty conversation → what the bot said beside the conversation
  #list = find("messages");
  #scroller = find("thread");
  #following = true;

  /** `actions`: reply(message), press(button, message), choose(id). */
  constructor(graph, actions) {
    this.graph = graph;
    this.actions = actions;
    this.#scroller.addEventListener("scroll", () => this.#scrolled());
    // Words grow, pictures load late, and the field below takes room: whoever looks at the end goes on looking at it.
    const follower = new ResizeObserver(() => this.#following && this.toEnd());
    for (const box of [this.#list, this.#scroller]) follower.observe(box);
    find("to-end").onclick = () => this.toEnd();
    find("viewer-close").onclick = () => find("viewer").close();
    find("viewer").onclick = (event) => event.target === find("viewer") && find("viewer").close();
  }

  show(path) {
    const items = path.flatMap((message) => [this.#item(message), ...(this.#asides.get(message.id) ?? [])]);
    const all = path.length ? items : this.#asidesToNothing();
    if (all.length !== this.#list.children.length || all.some((item, index) => this.#list.children[index] !== item)) {
      this.#list.replaceChildren(...all);
    }
    find("welcome").hidden = all.length > 0;
  }

  /** Draws a message again that is on the screen. */
  update(message) {
    const old = this.#items.get(message.id);
    this.#items.delete(message.id);
    if (old?.isConnected) {
      const focused = old.contains(document.activeElement) ? document.activeElement.dataset.action : null;
      const item = this.#item(message);
      old.replaceWith(item);
      if (focused) item.querySelector(`[data-action="${focused}"]`)?.focus();
    }
  }

  /** Something that the bot says beside the conversation, such as the answer to a command. It goes with the page. */
  aside(anchor, command, message) {
    const asides = this.#asides.get(anchor ?? "") ?? [];
    const known = asides.find((item) => item.dataset.id === message.id);
    const item = make("li", { className: "aside" }, make("p", { className: "command", textContent: command, hidden: !command }), ...markdown(message.text));
    item.append(...(message.files ?? []).map(fileOf), ...this.#commands(message));
    item.dataset.id = message.id;
    this.#asides.set(anchor ?? "", known ? asides.map((other) => (other === known ? item : other)) : [...asides, item]);
  }

  #asidesToNothing() {
    return [...this.#asides].filter(([anchor]) => !this.graph.get(anchor)).flatMap(([, items]) => items);
  }

  /** Draws everything anew, in another language or from a new history. Asides stay as they were said. */
  forget() {
    this.#items.clear();
  }

  toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#following = true;
  }

  #scrolled() {
    const left = this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight;
    this.#following = left < NEAR_END;
    find("to-end").hidden = this.#following;
  }

  #item(message) {
    if (!this.#items.has(message.id)) this.#items.set(message.id, this.#make(message));
    return this.#items.get(message.id);
  }

  #make(message) {
    const mine = message.role === "person";
    const item = make("li", { className: `message ${message.role}${message.final ? "" : " unfinished"}` });
    item.dataset.id = message.id;
    if (!mine) item.append(make("img", { src: "/static/goose.svg", alt: "", className: "face" }));
    const body = make("article", {}, ...this.#pictures(message), this.#text(message));
    body.setAttribute("aria-label", mine ? say("you") : "Gander");
    if (message.footer) body.append(make("p", { className: "small footer", textContent: message.footer }));
    body.append(this.#tools(message), ...this.#commands(message));
    item.append(body);
    return item;
  }

  #pictures(message) {
    if (!message.pictures.length) return [];
    const buttons = message.pictures.map((url, number) => pictureButton(url, number, (shown) => this.#enlarge(shown)));
    return [make("div", { className: "pictures" }, ...buttons)];
  }

  #enlarge(url) {
    find("viewer-picture").src = url;
    find("viewer").showModal();
  }

  #text(message) {
    if (message.role === "person") return make("div", { className: "text", dir: "auto", textContent: message.text, hidden: !message.text });
    if (!message.text) return make("div", { className: "text thinking", textContent: say("thinking") });
    const text = message.columns?.length ? columns(message.columns) : make("div", { className: "text" }, ...markdown(message.text));
    if (!message.spoiler) return text;
    const cover = make("details", {}, make("summary", { textContent: say("spoiler") }), text);
    return cover;
  }

  #tools(message) {
    const tools = make("div", { className: "actions" }, ...this.#versions(message));
    const add = (name, label, onclick) => tools.append(iconButton(name, label, onclick)) ?? (tools.lastChild.dataset.action = name);
    if (message.role === "bot" && message.final) {
      add("copy", say("copy"), (event) => this.#copy(event.currentTarget, message.text));
      if (message.text && !message.columns?.length) add("knobs", say("insight"), () => this.actions.explain(message));
      if (message.buttons.includes("again")) add("again", say("again"), () => this.actions.press("again", message));
      if (message.buttons.includes("continue")) tools.append(this.#continueButton(message));
    }
    if (message.final) add("reply", say("reply"), () => this.actions.reply(message));
    return tools;
  }

  /** Buttons that stand for typed commands: votes, and questions about sample pictures. */
  #commands(message) {
    if (!message.actions?.length) return [];
    const button = ({ label, command }) => make("button", { type: "button", textContent: label, onclick: () => this.actions.type(command) });
    return [make("div", { className: "commands" }, ...message.actions.map(button))];
  }

  #continueButton(message) {
    const press = () => this.actions.press("continue", message);
    return make("button", { type: "button", className: "quiet", onclick: press }, icon("continue"), say("continue"));
  }

  async #copy(button, text) {
    await copyText(text);
    button.replaceChildren(icon("check"));
    find("announcer").textContent = say("copied");
    setTimeout(() => button.replaceChildren(icon("copy")), 1500);
  }

  /** ‹ 2 / 3 › where the conversation branches. */
  #versions(message) {
    const siblings = message.parent === null ? [message.id] : this.graph.siblings(message.id);
    if (siblings.length < 2) return [];
    const at = siblings.indexOf(message.id);
    const step = (name, label, to) => {
      const button = iconButton(name, label, () => this.actions.choose(siblings[to]), { disabled: !siblings[to] });
      button.dataset.action = name;
      return button;
    };
    const count = make("span", { textContent: `${at + 1} / ${siblings.length}` });
    count.setAttribute("aria-label", say("version", { number: at + 1, count: siblings.length }));
    count.setAttribute("role", "img");
    return [step("left", say("version-previous"), at - 1), count, step("right", say("version-next"), at + 1)];
  }
}

export function announce(message) {
  find("announcer").textContent = message.final ? say("answered", { text: spoken(message.text) }) : say("answering");
}
