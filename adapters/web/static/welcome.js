// What a first visit sees: sample pictures to click, and the questions that suit the one that was taken.

import * as api from "./api.js";
import { find, make } from "./dom.js";
import { say } from "./texts.js";

export class Welcome {
  commands = []; // { name, description }
  #samples = [];

  /** `take(file, questions)`: puts a picture into the field. */
  constructor(take) {
    this.take = take;
  }

  /** Fetched when the page is drawn already, and again in another language. A page without samples is a whole one, too. */
  async load() {
    const { samples, commands } = await api.welcome().catch(() => ({ samples: [], commands: [] }));
    this.commands = commands;
    this.#samples = samples;
    find("samples").replaceChildren(...samples.map((sample) => this.#sample(sample)));
    find("samples-title").hidden = !samples.length;
  }

  #sample(sample) {
    const image = make("img", { src: sample.url, alt: sample.title, width: 96, height: 96 });
    const button = make("button", { type: "button", className: "sample", title: sample.title, onclick: () => this.#choose(sample) }, image);
    button.setAttribute("aria-label", say("sample", { title: sample.title }));
    return make("li", {}, button);
  }

  async #choose(sample) {
    const blob = await (await fetch(sample.url)).blob();
    this.take(new File([blob], sample.file, { type: blob.type }), sample.questions);
  }
}
