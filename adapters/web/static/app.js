// The page's composition root: brings the parts together and decides what each event changes.

import { account } from "./account.js";
import * as api from "./api.js";
import { Completion } from "./completion.js";
import { Composer } from "./composer.js";
import { find, firstWords, newId, spoken } from "./dom.js";
import { Graph } from "./graph.js";
import { explain } from "./insight.js";
import { Knobs } from "./knobs.js";
import { Model } from "./model.js";
import { Sidebar } from "./sidebar.js";
import { loadLanguage, preferredLanguage, rememberLanguage, say } from "./texts.js";
import { Thread, announce } from "./thread.js";
import { Welcome } from "./welcome.js";

const PAGE = 200;
const RELOAD = 2000; // milliseconds until a page that could not begin tries again
const REPLIABLE = /^[0-9a-f]{24}$/; // ids that the server takes as a parent

function banner(text) {
  find("banner").textContent = text;
  find("banner").hidden = !text;
}

function unreachable(trouble) {
  return trouble.key === "error-login" ? trouble.message : say("offline");
}

class App {
  graph = new Graph();
  knobs = new Knobs();
  model = new Model();
  current = null; // the first message of the conversation on the screen; null = a new one
  replyTo = null; // the message that the person chose to continue from
  sent = new Map(); // what we sent, commands too → { anchor: the message it was sent under, command }
  limit = PAGE; // how many of the newest messages are fetched
  meanwhile = null; // messages that come while the history is asked for
  more = false; // older messages exist on the server

  constructor(session) {
    this.thread = new Thread(this.graph, {
      reply: (message) => this.reply(message),
      press: (button, message) => this.press(button, message),
      choose: (id) => this.choose(id),
      type: (command) => this.type(command),
      explain: (message) => this.explain(message),
    });
    this.sidebar = new Sidebar({ open: (root) => this.open(root), fresh: () => this.fresh(), older: () => this.older() });
    this.composer = new Composer({ send: (question) => this.send(question), stop: () => this.stop() }, session.limits);
    this.welcome = new Welcome((file, questions) => this.composer.add([file], questions));
    new Completion(() => this.welcome.commands, () => this.composer.refresh());
    account(session.signed_in, (trouble) => this.composer.say(trouble.message));
    find("insight-close").onclick = () => find("insight").close();
    find("insight").onclick = (event) => event.target === find("insight") && find("insight").close();
    find("reply-cancel").onclick = () => this.reply(null);
    find("language").onchange = (event) => this.changeLanguage(event.target.value);
    document.addEventListener("keydown", (event) => this.key(event));
    this.configure(session);
  }

  configure(session) {
    this.knobs.configure(session.knobs);
    this.showEngine(session.engine);
  }

  // What the server tells

  async fetch() {
    const meanwhile = (this.meanwhile = []); // what comes while the server looks is newer than what it saw
    const page = await api.history(this.limit);
    this.graph.clear();
    this.thread.forget();
    for (const message of [...page.messages, ...meanwhile]) this.graph.put(message);
    this.meanwhile = null;
    this.more = page.more;
    this.draw();
  }

  older() {
    this.limit += PAGE;
    return this.fetch();
  }

  async reload() {
    await this.fetch();
    this.configure(await api.session());
  }

  received(message) {
    if (message.aside) return this.aside(message);
    this.meanwhile?.push(message);
    const known = this.graph.get(message.id);
    if (!known && message.parent === undefined) return this.reload();
    const wasFinal = known?.final;
    const whole = this.graph.put(message);
    if (!known) this.thread.update(this.graph.get(whole.parent) ?? whole);
    this.thread.update(whole);
    if (whole.role === "bot" && (!known || (!wasFinal && whole.final))) announce(whole);
    if (whole.role === "bot" && whole.final) this.model.read();
    this.draw();
  }

  aside(message) {
    const sent = this.sent.get(message.parent);
    if (!sent) return; // said to another page, or before this one was loaded
    this.thread.aside(sent.anchor, sent.command ?? "", message);
    find("announcer").textContent = spoken(message.text);
    this.draw();
  }

  deleted({ id }) {
    this.graph.remove(id);
    this.draw();
  }

  showEngine(engine) {
    this.model.show(engine);
    find("state").className = `dot ${engine.state}`;
    find("state").title = say(`state-${engine.state}`, { detail: engine.detail ?? "", seconds: Math.ceil(engine.seconds_left ?? 0) });
    const key = engine.state === "loading" && engine.seconds_left ? "state-loading-left" : `state-${engine.state}`;
    banner(engine.state === "ready" ? "" : say(key, { detail: engine.detail ?? "", seconds: Math.ceil(engine.seconds_left ?? 0) }));
  }

  online(online) {
    if (online) this.showEngineAgain();
    else banner(say("offline"));
  }

  /** The server is there and will not tell us anything, as to somebody who is signed out. */
  refused() {
    api.session().catch((trouble) => banner(unreachable(trouble)));
  }

  async showEngineAgain() {
    this.showEngine((await api.session()).engine);
  }

  // What the person does

  /** Shows the question at once, and takes it back when it was not accepted. True: it was, and the field stays empty. */
  async send({ text, pictures }) {
    const id = newId();
    const { current, replyTo } = this;
    const parent = replyTo ?? this.path().findLast((message) => REPLIABLE.test(message.id))?.id ?? null;
    const typed = text.startsWith("/"); // a command, it seems; the server knows
    this.sent.set(id, { anchor: parent, command: typed ? text : "" });
    if (!typed) this.show({ id, parent, role: "person", text, pictures: pictures.map((picture) => picture.url), at: new Date().toISOString() });
    try {
      const { message, command } = await api.ask({ id, text, parent, knobs: this.knobs.chosen, pictures: pictures.map((picture) => picture.file) });
      if (message) this.received(message);
      if (message && typed) this.open(this.graph.root(id));
      if (command) await this.reload();
      if (!message && !command) this.takeBack(id, current, replyTo);
      return command || Boolean(message);
    } catch (trouble) {
      this.takeBack(id, current, replyTo);
      throw trouble;
    }
  }

  show(question) {
    this.graph.put(question);
    this.graph.choose(question.id);
    this.reply(null);
    this.open(this.graph.root(question.id));
  }

  takeBack(id, current, replyTo) {
    this.graph.remove(id);
    this.current = current;
    this.reply(this.graph.get(replyTo) ?? null);
    this.draw();
  }

  async press(button, message) {
    try {
      const id = newId();
      if (button !== "stop") this.sent.set(id, { anchor: message.id }); // a stopped answer shows that it stopped
      await api.press(id, button, message.answer, button === "again" ? this.knobs.chosen : {});
    } catch (trouble) {
      this.composer.say(trouble.message);
    }
  }

  async explain(message) {
    try {
      await explain(message.answer);
    } catch (trouble) {
      this.composer.say(trouble.message);
    }
  }

  /** What a button stands for, typed for the person. */
  async type(command) {
    try {
      await this.send({ text: command, pictures: [] });
    } catch (trouble) {
      this.composer.say(trouble.message);
    }
  }

  stop() {
    const unfinished = this.graph.unfinished(this.path());
    if (unfinished) this.press("stop", unfinished);
  }

  reply(message) {
    this.replyTo = message?.id ?? null;
    find("replying").hidden = !message;
    if (!message) return;
    find("replying-text").textContent = say("replying", { text: firstWords(message.text) });
    this.composer.focus();
  }

  choose(id) {
    this.graph.choose(id);
    this.draw();
    this.thread.update(this.graph.get(id));
  }

  open(root) {
    this.current = root;
    this.reply(null);
    this.draw();
    this.thread.toEnd();
  }

  fresh() {
    this.open(null);
    this.composer.focus();
  }

  key(event) {
    if (event.key === "Escape" && this.replyTo) this.reply(null);
    else if (event.key === "Escape" && !find("viewer").open) this.stop();
    else if (event.key === "/" && !event.target.closest("input, textarea, select")) {
      event.preventDefault();
      this.composer.focus();
    }
  }

  async changeLanguage(language) {
    rememberLanguage(language);
    await loadLanguage(language);
    this.welcome.load();
    this.knobs.draw();
    this.composer.refresh();
    this.thread.forget();
    this.reply(null);
    await this.showEngineAgain();
    this.draw();
  }

  // What the screen shows

  path() {
    return this.current === null ? [] : this.graph.path(this.current);
  }

  draw() {
    const path = this.path();
    this.thread.show(path);
    this.sidebar.draw(this.graph.roots(), this.current, this.more);
    this.composer.busy = Boolean(this.graph.unfinished(path));
    find("question").placeholder = say(path.length ? "placeholder-more" : "placeholder");
    document.title = path.length ? `${firstWords(path[0].text, 40)} · Gander` : "Gander";
  }
}

async function start() {
  const language = preferredLanguage();
  await loadLanguage(language);
  find("language").value = language;
  const app = new App(await api.session());
  app.welcome.load();
  await app.fetch();
  const newest = app.graph.roots()[0];
  if (newest) app.open(newest.id);
  app.events = new api.Events(
    {
      message: (message) => app.received(message),
      deleted: (message) => app.deleted(message),
      engine: (engine) => app.showEngine(engine),
      reload: () => app.reload(),
      online: (online) => app.online(online),
      refused: () => app.refused(),
    },
    () => app.composer.busy,
  );
}

start().catch((trouble) => {
  if (!(trouble instanceof api.Trouble)) throw trouble;
  banner(unreachable(trouble));
  setTimeout(() => location.reload(), RELOAD);
});
