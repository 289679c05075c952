// One message on the screen. It is made once and then brought up to date in place: only what changed is touched.

import { copyText } from "./code.js";
import { find, icon, iconButton, make } from "./dom.js";
import { markdown } from "./markdown.js";
import { arrange, morph } from "./morph.js";
import { folded } from "./steps.js";
import { say } from "./texts.js";

const COPIED = 1500; // milliseconds for which a button says so

export class MessageView {
  #drawn = {}; // part → what it was drawn from

  /** `actions`: reply(message), edit(message), press(button, message), choose(id), type(command), explain(message), enlarge(url, message). */
  constructor(message, actions) {
    this.actions = actions;
    const mine = message.role === "person";
    this.pictures = make("div", { className: "pictures" });
    this.text = make("div", {});
    this.footer = make("p", { className: "small footer" });
    this.tools = make("div", { className: "actions" });
    this.commands = make("div", { className: "commands" });
    const body = make("article", {}, this.pictures, this.text, this.footer, this.tools, this.commands);
    this.element = make("li", { className: `message ${message.role}` }, ...(mine ? [] : [face()]), body);
    this.element.dataset.id = message.id;
    body.setAttribute("aria-label", mine ? say("you") : "Gander");
  }

  /** `siblings`: the ids in whose place it stands, its own among them; `waits`: an answer before it is not finished. */
  update(message, siblings, waits) {
    this.message = message;
    this.element.classList.toggle("unfinished", !message.final);
    this.#part("pictures", message.pictures, (urls) => this.#drawPictures(urls));
    const { text, columns, spoiler, role, steps, seen } = message;
    this.#part("text", { text, columns, spoiler, waits, steps, seen }, () => morph(this.text, make("div", {}, ...written(role, message, waits))));
    this.#part("footer", message.footer, (words) => Object.assign(this.footer, { textContent: words, hidden: !words }));
    const state = { final: message.final, stored: message.number !== undefined, buttons: message.buttons, said: Boolean(text), columns: Boolean(columns?.length), siblings };
    this.#part("tools", state, () => this.#drawTools(message, siblings));
    this.commands.classList.toggle("grid", message.across > 0);
    this.commands.style.setProperty("--across", message.across || 1);
    this.#part("commands", message.actions ?? [], (commands) => this.#drawCommands(commands));
  }

  /** Draws its text again, now that a library for formulas or code is there. */
  redraw(message, siblings, waits) {
    delete this.#drawn.text;
    this.update(message, siblings, waits);
  }

  #part(name, from, draw) {
    const drawn = JSON.stringify(from);
    if (this.#drawn[name] === drawn) return;
    this.#drawn[name] = drawn;
    draw(from);
  }

  #drawPictures(urls) {
    this.pictures.hidden = !urls.length;
    const known = [...this.pictures.children];
    arrange(this.pictures, urls.map((url, number) => known[number] ?? this.#pictureButton(number)));
    urls.forEach((url, number) => (this.pictures.children[number].firstChild.src = url));
  }

  #pictureButton(number) {
    const image = make("img", { alt: say("picture-only") });
    const button = make("button", { type: "button", className: "picture", onclick: () => this.actions.enlarge(image.src, this.message) }, image);
    button.setAttribute("aria-label", say("picture", { number: number + 1 }));
    return button;
  }

  #drawTools(message, siblings) {
    const focused = this.tools.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    this.tools.replaceChildren(...this.#versions(message, siblings), ...this.#buttons(message));
    if (focused) (this.tools.querySelector(`[data-action="${focused}"]:enabled`) ?? this.tools.querySelector("button:enabled"))?.focus();
  }

  #buttons(message) {
    const buttons = [];
    const add = (name, label, onclick) => buttons.push(named(name, iconButton(name, label, onclick)));
    if (message.role === "bot" && message.final) {
      add("copy", say("copy"), (event) => this.#copy(event.currentTarget, message.text));
      if (message.text && !message.columns?.length) add("explanation", say("explanation"), () => this.actions.explain(message));
      if (message.buttons.includes("again")) add("again", say("again"), () => this.actions.press("again", message));
      if (message.buttons.includes("continue")) buttons.push(this.#continueButton(message));
    }
    if (message.role === "person" && message.number !== undefined) add("edit", say("edit"), () => this.actions.edit(message));
    if (message.final) add("reply", say("reply"), () => this.actions.reply(message));
    return buttons;
  }

  #continueButton(message) {
    const press = () => this.actions.press("continue", message);
    return make("button", { type: "button", className: "quiet", onclick: press }, icon("continue"), say("continue"));
  }

  async #copy(button, text) {
    await copyText(text);
    button.replaceChildren(icon("check"));
    find("announcer").textContent = say("copied");
    setTimeout(() => button.replaceChildren(icon("copy")), COPIED);
  }

  /** ‹ 2 / 3 › where the conversation branches. */
  #versions(message, siblings) {
    if (siblings.length < 2) return [];
    const at = siblings.indexOf(message.id);
    const step = (name, label, to) =>
      named(name, iconButton(name, label, () => this.actions.choose(siblings[to]), { disabled: !siblings[to] }));
    const count = make("span", { textContent: `${at + 1} / ${siblings.length}` });
    count.setAttribute("aria-label", say("version", { number: at + 1, count: siblings.length }));
    count.setAttribute("role", "img");
    return [step("left", say("version-previous"), at - 1), count, step("right", say("version-next"), at + 1)];
  }

  /** Buttons that stand for typed commands: votes, and questions about sample pictures. */
  #drawCommands(commands) {
    this.commands.hidden = !commands.length;
    this.commands.replaceChildren(...commandButtons(commands, this.actions));
  }
}

export function commandButtons(commands, actions) {
  return commands.map(({ label, command }) => make("button", { type: "button", textContent: label, onclick: () => actions.type(command) }));
}

/** Makes buttons of the commands at the beginning of lines: what the bot says of them stands apart from what they are called. */
export function pressable(text, actions) {
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  const nodes = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) if (beginsLine(node)) nodes.push(node);
  for (const node of nodes) {
    const [found] = COMMAND.exec(node.data);
    const command = found.trim();
    node.data = node.data.slice(found.length);
    node.before(make("button", { type: "button", className: "named", textContent: command, onclick: () => actions.begin(command) }));
  }
  return text;
}

const COMMAND = /^\s*\/\p{L}[\p{L}\p{N}_-]*(?=[\s:]|$)/u;

function beginsLine(node) {
  return COMMAND.test(node.data) && node.parentNode.matches("p, li") && (!node.previousSibling || node.previousSibling.nodeName === "BR");
}

function named(action, button) {
  button.dataset.action = action;
  return button;
}

function face() {
  const goose = icon("goose");
  goose.classList.add("face");
  return goose;
}

/** The nodes of what a message says. */
function written(role, message, waits) {
  if (role === "person") return [make("div", { className: "text", dir: "auto", textContent: message.text, hidden: !message.text })];
  if (!message.text) return [make("div", { className: "text thinking", textContent: say(waits ? "waits" : "thinking") })];
  const text = message.columns?.length ? compared(message.columns) : make("div", { className: "text" }, ...markdown(message.text));
  const all = message.steps ? [text, folded(message.steps, message.seen)] : [text];
  return message.spoiler ? [make("details", {}, make("summary", { textContent: say("spoiler") }), ...all)] : all;
}

/** A comparison: each value's answer under its name, side by side where there is room. */
function compared(sections) {
  const one = ({ label, text }) => make("section", {}, make("h3", { textContent: label }), ...markdown(text || "…"));
  return make("div", { className: "text columns" }, ...sections.map(one));
}
