// Temperature and beams: two sliders that say in plain words what they do. They go with each question, so that what is shown is what is used.

import { find } from "./dom.js";
import { say } from "./texts.js";

const KEY = "gander.settings";

function temperatureWords(value) {
  if (value === 0) return "temperature-0";
  if (value < 0.5) return "temperature-low";
  if (value <= 1) return "temperature-middle";
  return value <= 1.5 ? "temperature-high" : "temperature-wild";
}

function beamsWords(count) {
  if (count === 1) return "beams-1";
  return count <= 5 ? "beams-few" : "beams-many";
}

export class Settings {
  #own = JSON.parse(localStorage.getItem(KEY) ?? "{}"); // what this person moved, at some time; the rest is the bot's default
  #defaults = { temperature: 1, beams: 1 };
  #caps = {};
  #missing = [];

  constructor() {
    find("settings-button").onclick = () => this.#open(find("settings").hidden);
    find("temperature").oninput = (event) => this.#set("temperature", event.target.valueAsNumber);
    find("beams").oninput = (event) => this.#set("beams", event.target.valueAsNumber);
    find("settings-close").onclick = () => this.#close();
    find("settings-reset").onclick = () => this.#keep({});
    document.addEventListener("pointerdown", (event) => {
      if (!event.target.closest("#settings, #settings-button")) this.#open(false);
    });
    find("composer").addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || find("settings").hidden) return;
      event.stopPropagation();
      this.#close();
    });
  }

  /** From the server: values in force without ours, the operator's caps, and the settings that its engine lacks. */
  configure({ defaults, caps, missing }) {
    this.#defaults = defaults;
    this.#caps = caps;
    this.#missing = missing;
    find("temperature").max = caps.temperature;
    find("beams").max = caps.beams;
    this.draw();
  }

  /** What to send with a question: only what was moved, as far as it is allowed and known here now. */
  get chosen() {
    const known = Object.entries(this.#own).filter(([name]) => name in this.#caps && !this.#missing.includes(name));
    return Object.fromEntries(known.map(([name, value]) => [name, Math.min(value, this.#caps[name])]));
  }

  #close() {
    this.#open(false);
    find("settings-button").focus();
  }

  #open(open) {
    find("settings").hidden = !open;
    find("settings-button").setAttribute("aria-expanded", String(open));
    if (open) find("temperature").focus();
  }

  #set(name, value) {
    this.#keep({ ...this.#own, [name]: value });
  }

  #keep(own) {
    this.#own = own;
    localStorage.setItem(KEY, JSON.stringify(own));
    this.draw();
  }

  draw() {
    const { temperature, beams } = { ...this.#defaults, ...this.chosen };
    find("temperature").value = temperature;
    find("beams").value = beams;
    find("temperature-value").textContent = temperature.toFixed(2);
    find("beams-value").textContent = beams;
    find("temperature-help").textContent = this.#help("temperature", say(temperatureWords(temperature)));
    find("beams-help").textContent = this.#help("beams", say(beamsWords(beams), { count: beams }));
    const summary = beams === 1 ? "settings-summary-one" : "settings-summary";
    find("settings-summary").textContent = say(summary, { temperature: Number(temperature.toFixed(2)), beams });
    find("settings-reset").disabled = !Object.keys(this.#own).length;
  }

  #help(name, words) {
    find(name).disabled = this.#missing.includes(name);
    return this.#missing.includes(name) ? say("setting-missing") : words;
  }
}
