// Everything that goes over the network: small requests, and one stream of events that survives lost connections.

import { say } from "./texts.js";

/** An error whose message can be shown as it is: it says what to do. `key`: of its text. */
export class Trouble extends Error {
  constructor(key, values, options) {
    super(say(key, values), options);
    this.key = key;
  }
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { "Accept-Language": document.documentElement.lang, ...options?.headers } });
  } catch (error) {
    throw new Trouble("error-network", {}, { cause: error });
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  if (response.status === 401) throw new Trouble("error-login");
  const body = await response.json().catch(() => ({}));
  throw body.key ? new Trouble(body.key, body.values) : new Trouble("error-server", { status: response.status });
}

/** All that a page begins with, in one answer: what can be set, the newest messages, and where the events go on from there. */
export const start = (limit, language) => request(`/api/start?limit=${limit}`, { headers: { "Accept-Language": language } });

/** Who we are and what can be set. */
export const session = () => request("/api/session");

/** A page of the list: the newest conversations that speak of `search`, before the message `before`. */
export function conversations(search, before = "") {
  return request(`/api/conversations?${new URLSearchParams({ search, before })}`);
}

/** All messages of one conversation; none: it isn't there. */
export const conversation = (key) => request(`/api/conversations/${key}`);

/** An empty title gives the first question back. */
export function rename(key, title) {
  const body = JSON.stringify({ title });
  return request(`/api/conversations/${key}`, { method: "PATCH", body, headers: { "Content-Type": "application/json" } });
}

export const forget = (key) => request(`/api/conversations/${key}`, { method: "DELETE" });

export const history = (limit) => request(`/api/messages?limit=${limit}`);

/** Sample pictures with their questions, and the commands that the page offers. */
export const welcome = () => request("/api/welcome");

/** A code with which one more device signs in as this person. */
export const device = () => request("/api/devices", { method: "POST" });

/** Sends a question with its pictures; what was stored. `id` is ours, so that a repeated request is not a second question. */
export function ask({ id, text, parent, instead, settings, pictures }) {
  const form = new FormData();
  form.set("message", JSON.stringify({ id, text, parent, instead_of: instead, ...settings }));
  for (const picture of pictures) form.append("picture", picture, picture.name);
  return request("/api/messages", { method: "POST", body: form });
}

/** How an answer came about: its tokens with their alternatives, or the hypotheses of a beam search. */
export const explanation = (answer) => request(`/api/explanations/${answer}`);

export function press(id, button, answer, settings) {
  const body = JSON.stringify({ id, button, answer, ...settings });
  return request("/api/buttons", { method: "POST", body, headers: { "Content-Type": "application/json" } });
}

const KINDS = ["message", "deleted", "engine", "reload"];

/**
 * Events of this person. Missed ones come after a reconnect; the server says "reload" when it no longer has them.
 * A hidden page gives its connection back (browsers allow six to a server) unless `busy()`, and resumes where it was.
 */
export class Events {
  #last;
  #source = null;

  /** `last`: the event after which to begin. */
  constructor(handlers, busy, last) {
    this.handlers = handlers;
    this.#last = last;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.open();
      else if (!busy()) this.#close();
    });
    this.open();
  }

  open() {
    if (this.#source && this.#source.readyState !== EventSource.CLOSED) return;
    this.#source = new EventSource(`/api/events?after=${encodeURIComponent(this.#last)}`);
    this.#source.onopen = () => this.handlers.online(true);
    this.#source.onerror = () => this.#failed();
    for (const kind of KINDS) this.#source.addEventListener(kind, (event) => this.#received(kind, event));
  }

  #received(kind, event) {
    if (event.lastEventId) this.#last = event.lastEventId;
    this.handlers[kind](JSON.parse(event.data));
  }

  /** The browser retries a broken stream by itself, but gives up on a refused one, as while the server starts again. */
  #failed() {
    if (this.#source.readyState !== EventSource.CLOSED) return this.handlers.online(false);
    this.handlers.refused();
    setTimeout(() => this.open(), 2000);
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }
}
