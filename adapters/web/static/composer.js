// The field at the bottom: words, pictures (chosen, pasted, dropped), and the button that sends or stops.

import { find, iconButton, make } from "./dom.js";
import { say } from "./texts.js";

const SUGGESTIONS = ["suggest-1", "suggest-2", "suggest-3"];

function setButton(button, name, label) {
  button.querySelector("use").setAttribute("href", `/static/icons.svg#${name}`);
  button.setAttribute("aria-label", say(label));
  button.title = say(label);
  button.dataset.does = name;
}

export class Composer {
  #pictures = []; // { file, url }
  #question = find("question");
  #suggested = []; // questions that suit the picture that was added last
  #busy = false; // an answer on the screen is being written

  /** `actions`: send({ text, pictures }) → promise of whether it was taken, stop(). `limits`: { pictures, bytes } of one message. */
  constructor(actions, limits) {
    this.actions = actions;
    this.limits = limits;
    this.#wireText();
    this.#wirePictures();
    this.refresh();
  }

  get busy() {
    return this.#busy;
  }

  set busy(busy) {
    this.#busy = busy;
    this.#drawButton();
  }

  focus() {
    this.#question.focus();
  }

  say(problem) {
    find("problem").textContent = problem;
    find("problem").hidden = !problem;
  }

  /** Draws everything that depends on the language. */
  refresh() {
    this.#draw();
    this.#grow();
  }

  #wireText() {
    find("composer").onsubmit = (event) => {
      event.preventDefault();
      if (find("send").dataset.does === "stop") this.actions.stop();
      else this.#send();
    };
    this.#question.oninput = () => {
      this.#grow();
      this.#drawButton();
    };
    this.#question.onkeydown = (event) => {
      // 229 and isComposing: Enter that ends the choice of a Chinese character sends nothing.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#send();
    };
  }

  #wirePictures() {
    const choose = () => find("file").click();
    find("add").onclick = choose;
    find("welcome-add").onclick = choose;
    find("file").onchange = () => {
      this.add(find("file").files);
      find("file").value = "";
    };
    document.addEventListener("paste", (event) => {
      const files = [...event.clipboardData.files];
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    });
    this.#wireDrop();
  }

  #wireDrop() {
    let depth = 0; // enter and leave come for every element under the pointer
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    const show = (change) => {
      depth = Math.max(0, depth + change);
      find("drop").hidden = depth === 0;
    };
    document.addEventListener("dragenter", (event) => carriesFiles(event) && show(1));
    document.addEventListener("dragleave", (event) => carriesFiles(event) && show(-1));
    document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      show(-depth);
      this.add(event.dataTransfer.files);
    });
  }

  /** Takes files, or says why not. The server looks again, at the bytes. `suggested`: questions to offer about them. */
  add(files, suggested = []) {
    this.#suggested = suggested;
    this.say("");
    for (const file of files) {
      const total = this.#pictures.reduce((sum, picture) => sum + picture.file.size, file.size);
      if (file.type && !file.type.startsWith("image/")) this.say(say("error-not-picture", { name: file.name }));
      else if (this.#pictures.length >= this.limits.pictures) this.say(say("error-too-many", { count: this.limits.pictures }));
      else if (total > this.limits.bytes) this.say(say("error-too-large", { megabytes: Math.floor(this.limits.bytes / 1e6) }));
      else this.#pictures.push({ file, url: URL.createObjectURL(file) });
    }
    this.#draw();
    this.focus();
  }

  /** Empties the field at once; what was not taken comes back into it. */
  async #send() {
    const text = this.#question.value.trim();
    const pictures = this.#pictures;
    if (!text && !pictures.length) return;
    this.say("");
    this.#fill("", []);
    try {
      const taken = await this.actions.send({ text, pictures });
      if (!taken) this.#fill(text, pictures);
    } catch (trouble) {
      this.#fill(text, pictures);
      this.say(trouble.message);
    }
  }

  #fill(text, pictures) {
    this.#question.value = text;
    this.#pictures = pictures;
    this.refresh();
  }

  #remove(picture) {
    this.#pictures = this.#pictures.filter((other) => other !== picture);
    URL.revokeObjectURL(picture.url);
    this.#draw();
    this.focus();
  }

  #draw() {
    const preview = (picture) => {
      const label = say("remove-picture", { name: picture.file.name });
      const image = make("img", { src: picture.url, alt: picture.file.name });
      return make("li", {}, image, iconButton("close", label, () => this.#remove(picture)));
    };
    find("pictures").replaceChildren(...this.#pictures.map(preview));
    this.#drawSuggestions();
    this.#drawButton();
  }

  #drawSuggestions() {
    const use = (text) => {
      this.#question.value = text;
      this.refresh();
      this.focus();
    };
    const chip = (text) => make("button", { type: "button", className: "chip", textContent: text, onclick: () => use(text) });
    const questions = this.#suggested.length ? this.#suggested : SUGGESTIONS.map((key) => say(key));
    find("suggestions").replaceChildren(...questions.map(chip));
    find("suggestions").hidden = !this.#pictures.length || this.#question.value !== "";
  }

  #drawButton() {
    const empty = !this.#question.value.trim() && !this.#pictures.length;
    setButton(find("send"), this.#busy && empty ? "stop" : "send", this.#busy && empty ? "stop" : "send");
    find("send").disabled = empty && !this.#busy;
    find("suggestions").hidden = !this.#pictures.length || this.#question.value !== "";
  }

  #grow() {
    this.#question.style.height = "auto";
    this.#question.style.height = `${Math.min(this.#question.scrollHeight, window.innerHeight * 0.4)}px`;
  }
}
