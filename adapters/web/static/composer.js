// The field at the bottom: words, pictures (chosen, pasted, dropped), and the button that sends or stops. It shows one draft.

import { find, iconButton, icon, make } from "./dom.js";
import { shown } from "./drafts.js";
import { pasted } from "./pasting.js";
import { say } from "./texts.js";

const SUGGESTIONS = ["suggest-1", "suggest-2", "suggest-3"];
const NEAR = 0.8; // of what a question may have: from here on its length is shown

function setButton(button, does) {
  if (button.dataset.does !== does) button.replaceChildren(icon(does));
  button.setAttribute("aria-label", say(does));
  button.title = say(does);
  button.dataset.does = does;
}

export class Composer {
  #question = find("question");
  #draft = { text: "", pictures: [], problem: "" }; // until the first `show` what comes early: no conversation is open yet
  #begun = false; // a draft is shown
  #hurried = false; // Enter was pressed before
  #offered = []; // pictures that came with pasted words
  #suggested = []; // questions that suit the picture that was added last
  #busy = false; // an answer on the screen is being written

  /** `actions`: send(), stop(), changed(). `limits`: { pictures, bytes, file_bytes, characters } of one message. */
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

  /** Shows a draft, and writes into it from now on. */
  show(draft) {
    const early = this.#begun ? null : { text: this.#question.value, pictures: this.#draft.pictures };
    this.#begun = true;
    find("composer").removeAttribute("aria-busy");
    this.#draft = draft;
    this.#offered = this.#suggested = [];
    if (early) this.#takeOver(early);
    this.#question.value = draft.text;
    this.refresh();
    if (early && this.#hurried) this.#send();
  }

  /** What was typed and added while the page began is the first draft's. A browser that reloads puts a draft's own words back. */
  #takeOver({ text, pictures }) {
    const words = this.#draft.text.includes(text) ? "" : text;
    if (!words && !pictures.length) return;
    this.#draft.text = [this.#draft.text, words].filter(Boolean).join("\n");
    this.#draft.pictures.push(...pictures);
    this.#changed();
  }

  get begun() {
    return this.#begun;
  }

  say(problem) {
    this.#draft.problem = problem;
    this.#drawProblem();
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
    this.#question.oninput = () => this.typed();
    this.#question.onkeydown = (event) => {
      // 229 and isComposing: Enter that ends the choice of a Chinese character sends nothing.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#send();
    };
  }

  /** The words in the field are others now. */
  typed() {
    this.#draft.text = this.#question.value;
    this.#changed();
    this.#grow();
    this.#drawButton();
  }

  /** What is in the field now is something new: no longer what was tried to send before. */
  #changed() {
    this.#draft.id = null;
    if (this.#begun) this.actions.changed();
  }

  #wirePictures() {
    const choose = () => find("file").click();
    find("add").onclick = choose;
    find("welcome-add").onclick = choose;
    find("file").onchange = () => {
      this.add(find("file").files);
      find("file").value = "";
    };
    document.addEventListener("paste", (event) => this.#paste(event));
    find("offer-take").onclick = () => this.add(this.#offered);
    this.#wireDrop();
  }

  #paste(event) {
    const { files, text, offered } = pasted(event.clipboardData);
    this.#offered = offered;
    if (files.length) {
      event.preventDefault();
      this.add(files);
    } else if (text && offered.length && !event.target.closest?.("input, textarea")) {
      event.preventDefault();
      this.#question.setRangeText(text, this.#question.selectionStart, this.#question.selectionEnd, "end");
      this.typed();
    }
    this.#drawOffer();
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

  /**
   * Takes files, or says of each why not, before a byte of it is sent. The server looks again, at the bytes.
   * `suggested`: questions to offer about them.
   */
  add(files, suggested = []) {
    this.#suggested = suggested;
    const problems = [];
    for (const file of files) {
      const problem = this.#problemWith(file);
      if (problem) problems.push(problem);
      else this.#draft.pictures.push(shown(file));
    }
    this.#offered = [];
    this.say([...new Set(problems)].join("\n"));
    this.#changed();
    this.#draw();
    this.focus();
  }

  #problemWith(file) {
    const { pictures, bytes, file_bytes: most } = this.limits;
    const total = this.#draft.pictures.reduce((sum, picture) => sum + picture.file.size, file.size);
    const megabytes = (count) => Math.floor(count / 1e6);
    if (file.type && !/^(image|video)\//.test(file.type)) return say("error-not-picture", { name: file.name });
    if (file.size > most) return say("error-file-too-large", { name: file.name, size: Math.ceil(file.size / 1e6), megabytes: megabytes(most) });
    if (this.#draft.pictures.length >= pictures) return say("error-too-many", { count: pictures });
    return total > bytes ? say("error-too-large", { megabytes: megabytes(bytes) }) : "";
  }

  #send() {
    if (find("send").disabled) return;
    if (!this.#begun) {
      this.#hurried = true;
      return;
    }
    if (!this.#draft.text.trim() && !this.#draft.pictures.length) return;
    this.actions.send();
  }

  #remove(picture) {
    this.#draft.pictures = this.#draft.pictures.filter((other) => other !== picture);
    URL.revokeObjectURL(picture.url);
    this.#changed();
    this.#draw();
    this.focus();
  }

  #draw() {
    const preview = (picture) => {
      const label = say("remove-picture", { name: picture.file.name });
      const film = picture.file.type.startsWith("video/");
      const image = film
        ? make("video", { src: picture.url, muted: true, preload: "metadata", title: picture.file.name })
        : make("img", { src: picture.url, alt: picture.file.name });
      return make("li", {}, image, iconButton("close", label, () => this.#remove(picture)));
    };
    find("pictures").replaceChildren(...this.#draft.pictures.map(preview));
    this.#drawSuggestions();
    this.#drawButton();
    this.#drawProblem();
    this.#drawOffer();
  }

  #drawProblem() {
    find("problem").textContent = this.#draft.problem;
    find("problem").hidden = !this.#draft.problem;
  }

  #drawOffer() {
    find("offer").hidden = !this.#offered.length;
  }

  /** Puts a command into the field, before the words that are there. */
  begin(command) {
    const rest = this.#draft.text.startsWith("/") ? "" : this.#draft.text;
    this.#write(`${command} ${rest}`);
  }

  #write(text) {
    this.#question.value = text;
    this.typed();
    this.focus();
  }

  #drawSuggestions() {
    const chip = (text) => make("button", { type: "button", className: "chip", textContent: text, onclick: () => this.#write(text) });
    const questions = this.#suggested.length ? this.#suggested : SUGGESTIONS.map((key) => say(key));
    find("suggestions").replaceChildren(...questions.map(chip));
  }

  #drawButton() {
    const empty = !this.#draft.text.trim() && !this.#draft.pictures.length;
    const over = this.#drawLength();
    setButton(find("send"), this.#busy && empty ? "stop" : "send");
    find("send").disabled = (empty && !this.#busy) || over;
    find("suggestions").hidden = !this.#draft.pictures.length || this.#draft.text !== "";
  }

  /** Shows how long the question is where that begins to matter; whether it is too long. Nothing is ever cut off. */
  #drawLength() {
    const most = this.limits.characters;
    const count = this.#draft.text.length < most * NEAR ? 0 : [...this.#draft.text].length;
    const values = { count: count.toLocaleString(document.documentElement.lang), most: most.toLocaleString(document.documentElement.lang) };
    const over = count > most;
    const extra = (count - most).toLocaleString(document.documentElement.lang);
    find("length").hidden = count < most * NEAR;
    find("length").textContent = over ? say("length-over", { ...values, extra }) : say("length", values);
    find("length").classList.toggle("over", over);
    this.#question.setAttribute("aria-invalid", String(over));
    return over;
  }

  #grow() {
    this.#question.style.height = "auto";
    this.#question.style.height = `${Math.min(this.#question.scrollHeight, window.innerHeight * 0.4)}px`;
  }
}
