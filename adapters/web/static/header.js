// The state of the server and its engine, in the page's head: a dot, the model's name, and a line where something is amiss.

import { find } from "./dom.js";
import { Model } from "./model.js";
import { say } from "./texts.js";

export class Header {
  #engine = { state: "loading" };
  #model = new Model();
  #online = true;
  #trouble = ""; // why the server tells nothing

  showEngine(engine) {
    this.#engine = engine;
    this.#model.show(engine);
    this.draw();
  }

  get online() {
    return this.#online;
  }

  /** Whether the server answers; what it said of its engine holds only then. */
  set online(online) {
    this.#online = online;
    if (online) this.#trouble = "";
    this.draw();
  }

  /** The server is there and won't tell anything, as to somebody who is signed out. */
  refused(words) {
    this.#trouble = words;
    this.#online = false;
    this.draw();
  }

  /** The person got an answer: what the model says of itself has been on the screen. */
  read() {
    this.#model.read();
  }

  /** In another language: all of it. */
  redraw() {
    this.showEngine(this.#engine);
  }

  draw() {
    const { state } = this.#engine;
    const words = this.#words();
    find("state").className = `dot ${this.#online ? state : "offline"}`;
    find("state").title = words;
    find("state").setAttribute("aria-label", words);
    banner(this.#online && state === "ready" ? "" : words);
  }

  #words() {
    if (!this.#online) return this.#trouble || say("offline");
    const { state, detail, seconds_left: seconds } = this.#engine;
    const key = state === "loading" && seconds ? "state-loading-left" : `state-${state}`;
    return say(key, { detail: detail ?? "", seconds: Math.ceil(seconds ?? 0) });
  }
}

export function banner(text) {
  find("banner").textContent = text;
  find("banner").hidden = !text;
}

/** Why the server tells us nothing, in words. */
export function unreachable(trouble) {
  return say(trouble.key === "error-login" ? trouble.key : "offline");
}
