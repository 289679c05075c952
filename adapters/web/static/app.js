// Brings the page's parts together and decides what each event changes.

import { account } from "./account.js";
import { addressed, show as showAddress } from "./address.js";
import * as api from "./api.js";
import { Completion } from "./completion.js";
import { Composer } from "./composer.js";
import { find, firstWords, newId, spoken } from "./dom.js";
import { picturesOf } from "./drafts.js";
import { Graph } from "./graph.js";
import { Header, unreachable } from "./header.js";
import { explain } from "./explanation.js";
import { Settings } from "./settings.js";
import { Navigation } from "./navigation.js";
import { Sending } from "./sending.js";
import { Sidebar } from "./sidebar.js";
import { loadLanguage, rememberLanguage, say } from "./texts.js";
import { Thread } from "./thread.js";
import { Toolbar } from "./toolbar.js";
import { Welcome } from "./welcome.js";

export const PAGE = 200; // messages that a page begins with, whatever they belong to
const SEEN = "gander.seen"; // in this tab: the last message on the screen, empty on an empty page

export class App {
  graph = new Graph();
  settings = new Settings();
  header = new Header();
  sending = new Sending(this.graph);
  current = null; // the first message of the conversation on the screen; null = a new one
  sent = new Map(); // what we sent, by id → { anchor: the message before it, place: its conversation, command, taken, late: asides until we know }
  told = new Map(); // answers that came while the page was there, by id → whether their end was announced
  meanwhile = null; // what comes while the history is asked for, to be done again afterwards

  constructor(begun, drafts) {
    this.drafts = drafts;
    this.thread = new Thread(this.graph, {
      reply: (message) => this.reply(message),
      edit: (message) => this.edit(message),
      press: (button, message) => this.press(button, message),
      choose: (id) => this.choose(id),
      type: (command) => this.ask({ text: command, pictures: [] }),
      begin: (command) => this.composer.begin(command),
      explain: (message) => this.explain(message),
    });
    const screen = {
      open: (root) => this.open(root),
      lost: () => this.lost(),
      left: (key) => this.graph.key(this.current) === key && this.fresh(),
      draw: () => this.draw(),
      failed: (trouble) => this.failed(trouble),
    };
    this.navigation = new Navigation(this.graph, screen);
    this.conversations = this.navigation.conversations;
    this.toolbar = new Toolbar((key) => this.navigation.forget(key), screen.failed);
    this.sidebar = new Sidebar({
      open: (entry) => this.navigation.go(entry),
      fresh: () => this.fresh(),
      older: () => this.conversations.older(),
      search: (words) => this.conversations.search(words),
    });
    const actions = { send: () => this.send(), stop: () => this.stop(), changed: () => this.drafts.keep(this.current) };
    this.composer = new Composer(actions, begun.limits);
    this.welcome = new Welcome((file, questions) => this.composer.add([file], questions));
    new Completion(() => this.welcome.commands, () => this.composer.typed());
    account(begun.signed_in, (trouble) => this.composer.say(words(trouble)));
    find("explanation-close").onclick = () => find("explanation").close();
    find("explanation").onclick = (event) => event.target === find("explanation") && find("explanation").close();
    find("reply-cancel").onclick = () => this.goOn();
    addEventListener("popstate", () => this.navigation.visit());
    find("language").onchange = (event) => this.changeLanguage(event.target.value);
    document.addEventListener("keydown", (event) => this.key(event));
    this.configure(begun);
    this.navigation.takeNewest(begun);
  }

  configure({ settings, engine }) {
    this.settings.configure(settings);
    this.header.showEngine(engine);
  }

  // What the server tells

  async fetch() {
    const meanwhile = (this.meanwhile = []);
    const key = this.graph.key(this.current);
    const [newest, open] = await Promise.all([api.history(PAGE), key && api.conversation(key), this.conversations.look()]);
    this.navigation.takeNewest(newest);
    if (open) this.navigation.take(key, open);
    for (const again of meanwhile) again();
    if (this.meanwhile === meanwhile) this.meanwhile = null;
    this.draw();
  }

  async reload() {
    try {
      await this.fetch();
      this.configure(await api.session());
    } catch (trouble) {
      this.failed(trouble);
    }
  }

  received(message) {
    if (message.aside) return this.aside(message);
    const settled = this.drafts.settle(message.id);
    this.meanwhile?.push(() => this.graph.put(message));
    const known = this.graph.get(message.id);
    if (!known && message.parent === undefined) return this.reload();
    const grows = known && !message.final;
    const whole = this.graph.put(message);
    if (whole.role === "bot") this.announce(whole);
    if (whole.role === "bot" && whole.final) this.header.read();
    if (!grows) this.conversations.news();
    if (settled) this.open(this.current ?? this.graph.root(message.id));
    this.draw();
  }

  /** Says for whoever only hears it that an answer begins, and how it ends: each once. */
  announce({ id, final, text }) {
    if (this.told.get(id) === final) return;
    this.told.set(id, final);
    find("announcer").textContent = final ? say("answered", { text: spoken(text) }) : say("answering");
  }

  /** Said beside the conversation: the answer to a command, or why a question was refused. The latter stands where the question is. */
  aside(message) {
    const sent = this.sent.get(message.parent);
    if (!sent) return; // said to another page, or before this one was loaded
    if (sent.command === null && sent.taken === undefined) return sent.late.push(message);
    if (sent.taken === false) this.problem(sent.place, message.text);
    else this.thread.aside(sent.command === null ? message.parent : sent.anchor, sent.command ?? "", message);
    find("announcer").textContent = spoken(message.text);
    this.draw();
  }

  deleted({ id }) {
    this.meanwhile?.push(() => this.graph.remove(id));
    this.graph.remove(id);
    this.conversations.news();
    this.draw();
  }

  /** After an absence: who knows how the server is now. */
  async online(online) {
    const back = online && !this.header.online;
    this.header.online = online;
    if (back) await this.look();
  }

  /** How is the server, now that it can be asked? */
  async look() {
    try {
      this.header.showEngine((await api.session()).engine);
    } catch (trouble) {
      this.failed(trouble);
    }
  }

  failed(trouble) {
    if (!(trouble instanceof api.Trouble)) throw trouble;
    this.header.refused(unreachable(trouble));
  }

  // What the person does

  get draft() {
    return this.drafts.of(this.current);
  }

  send() {
    const { text, pictures, id, instead } = this.draft;
    const replyTo = this.graph.get(this.draft.replyTo)?.id ?? null;
    Object.assign(this.draft, { text: "", pictures: [], replyTo: null, instead: null, id: null, problem: "" });
    this.drafts.keep(this.current);
    this.showDraft();
    return this.ask({ text: text.trim(), pictures, id, instead, parent: replyTo });
  }

  /** Shows the question at once; when it was not accepted, it goes back to where it was written. */
  async ask({ text, pictures, id = null, parent = null, instead = null }) {
    const replaced = this.graph.get(instead);
    const above = replaced ? replaced.parent : (parent ?? this.path().at(-1)?.id ?? null);
    const question = { id: id ?? newId(), text, pictures, parent: above, instead: replaced && instead, settings: this.settings.chosen };
    const command = text.startsWith("/") ? text : null; // a command, it seems; the server knows
    const sent = { anchor: question.parent, place: this.current, command, late: [] };
    this.sent.set(question.id, sent);
    if (command === null) this.show(question);
    const files = pictures.map(({ file }) => file);
    const { taken, problem = "" } = await this.sending.send({ ...question, pictures: files }).catch((trouble) => refused(trouble));
    sent.taken = taken || Boolean(this.graph.get(question.id)?.number); // the events may know what a lost reply would have said
    if (!sent.taken) this.takeBack(question, sent.place, problem);
    else if (command !== null) this.ran(question, sent.place);
    for (const message of sent.late) this.aside(message);
    this.draw();
  }

  show({ id, parent, instead, text, pictures }) {
    const place = this.current;
    const shown = { id, parent, role: "person", text, pictures: pictures.map(({ url }) => url), at: new Date().toISOString() };
    this.graph.put(instead ? { ...shown, conversation: this.graph.key(instead) } : shown);
    this.graph.choose(id);
    if (place === null) this.thread.adoptAsides(id);
    this.open(this.graph.root(id));
  }

  /** A command was carried out. One that asked something is in the graph; pictures that it had no use for come back. */
  ran({ id, pictures }, place) {
    const question = this.graph.get(id);
    if (question) this.graph.choose(id);
    if (question && this.current === place) this.open(this.graph.root(id));
    if (!question && pictures.length) this.restore(place, { id: null, text: "", pictures, problem: "" });
  }

  takeBack({ id, text, pictures, instead }, place, problem) {
    this.graph.remove(id);
    this.thread.releaseAsides(id);
    if (this.current === id) this.current = this.graph.root(place);
    this.restore(place, { id, text, pictures, instead, problem });
  }

  restore(place, what) {
    const conversation = this.graph.root(place);
    this.drafts.restore(conversation, what);
    if (this.current === conversation) this.showDraft();
  }

  problem(place, words) {
    const conversation = this.graph.root(place);
    this.drafts.of(conversation).problem = words;
    if (this.current === conversation) this.composer.say(words);
  }

  async press(button, message) {
    try {
      const id = newId();
      if (button !== "stop") this.sent.set(id, { anchor: message.id, command: "", taken: true }); // a stopped answer shows that it stopped
      const { messages } = await api.press(id, button, message.answer, button === "again" ? this.settings.chosen : {});
      this.graph.merge(messages);
      const after = button === "again" ? message.parent : message.id;
      const made = messages.findLast(({ parent }) => parent === after);
      if (made) this.graph.choose(made.id);
      this.draw();
    } catch (trouble) {
      this.composer.say(words(trouble));
    }
  }

  async explain(message) {
    try {
      await explain(message.answer);
    } catch (trouble) {
      this.composer.say(words(trouble));
    }
  }

  stop() {
    const unfinished = this.graph.unfinished(this.path());
    if (unfinished) this.press("stop", unfinished);
  }

  reply(message) {
    Object.assign(this.draft, { replyTo: message.id, instead: null });
    this.drafts.keep(this.current);
    this.showReply();
    this.composer.focus();
  }

  /** Takes a question of the person's own into the field, to be asked otherwise in a branch beside it. */
  async edit(message) {
    if (this.draft.text || this.draft.pictures.length) return this.composer.say(say("edit-first"));
    try {
      const pictures = await picturesOf(message.pictures);
      Object.assign(this.draft, { text: message.text, pictures, replyTo: null, instead: message.id, id: null, problem: "" });
      this.drafts.keep(this.current);
      this.showDraft();
      this.composer.focus();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch's own: the server is away
      this.composer.say(say("error-network"));
    }
  }

  /** Neither from an earlier message nor instead of one: the next question goes on at the end. */
  goOn() {
    if (this.draft.instead) Object.assign(this.draft, { text: "", pictures: [], instead: null });
    this.draft.replyTo = null;
    this.drafts.keep(this.current);
    this.showDraft();
  }

  choose(id) {
    this.graph.choose(id);
    this.follow(this.graph.root(id));
    this.draw();
  }

  open(root) {
    this.current = root;
    this.showDraft();
    this.draw();
    this.thread.toEnd();
  }

  /** The address of a conversation that isn't there, or not any more. */
  lost() {
    this.open(null);
    this.composer.say(say("conversation-gone"));
  }

  fresh() {
    this.thread.clearAsides();
    this.open(null);
    this.composer.focus();
  }

  key(event) {
    if (event.key === "Escape" && (this.draft.replyTo || this.draft.instead)) this.goOn();
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
    this.settings.draw();
    this.composer.refresh();
    this.thread.forget();
    this.showReply();
    this.header.redraw();
    this.draw();
  }

  // What the screen shows

  path() {
    return this.current === null ? [] : this.graph.path(this.current);
  }

  draw() {
    this.follow(this.graph.root(this.current));
    const path = this.path();
    this.graph.keep(path);
    this.thread.show(path);
    const key = this.graph.key(this.current);
    const title = this.conversations.get(key)?.title ?? path[0]?.text ?? "";
    this.sidebar.draw(this.navigation.entries(), key ?? this.current, this.conversations);
    this.toolbar.draw(key, title);
    if (this.navigation.going === null && (key !== null || this.current === null)) showAddress(key);
    this.composer.busy = Boolean(this.graph.unfinished(path));
    find("question").placeholder = say(path.length ? "placeholder-more" : "placeholder");
    document.title = path.length ? `${firstWords(title, 40)} · Gander` : "Gander";
    sessionStorage.setItem(SEEN, path.at(-1)?.id ?? "");
  }

  /** The conversation on the screen begins elsewhere now: older messages were fetched, or it is no more. */
  follow(root) {
    if (root === this.current) return;
    if (root !== null) this.drafts.move(this.current, root);
    this.current = root;
    this.showDraft();
  }

  /** As before a reload, unless the address names something else; in a new tab what was spoken in last. */
  async begin(index) {
    this.conversations.begin(index);
    const seen = sessionStorage.getItem(SEEN);
    if (this.graph.get(seen)) this.graph.choose(seen);
    if (addressed() && addressed() !== this.graph.key(seen)) {
      await this.navigation.visit();
      if (!this.composer.begun) this.showDraft(); // it could not be fetched
      return;
    }
    this.open(seen === "" ? null : (this.graph.root(seen) ?? this.graph.roots()[0]?.id ?? null));
  }

  showDraft() {
    this.composer.show(this.draft);
    this.showReply();
  }

  showReply() {
    const { replyTo, instead } = this.draft;
    const message = this.graph.get(instead ?? replyTo);
    find("replying").hidden = !message;
    find("replying-text").textContent = message ? say(instead ? "editing" : "replying", { text: firstWords(message.text) }) : "";
  }
}

/** What to say of an error that a person can do something about; any other is ours. */
function words(trouble) {
  if (!(trouble instanceof api.Trouble)) throw trouble;
  return trouble.message;
}

function refused(trouble) {
  return { taken: false, problem: words(trouble) };
}
