// Blocks of code: the language's name, a button that copies, and colours as soon as the library for them is there.

import "./vendor/dompurify.js";
import { find, icon, iconButton, make } from "./dom.js";
import { say } from "./texts.js";

const LONGEST = 30_000; // letters that are coloured
let library = null; // highlight.js, once it is there
let loading = null;

/** The box for a `code` element that markdown-it made. */
export function code(element) {
  const language = /language-(\S+)/.exec(element.className)?.[1] ?? "";
  const copy = iconButton("copy", say("copy-code"), null);
  copy.dataset.does = "copy-code";
  const head = make("div", { className: "code-head" }, make("span", { textContent: language }), copy);
  element.textContent = element.textContent.replace(/\n$/, "");
  if (language && element.textContent.length <= LONGEST) colour(element, language);
  return make("div", { className: "code", dir: "ltr" }, head, make("pre", { tabIndex: 0 }, element));
}

/** One listener for all blocks: messages are drawn again and again while they grow. */
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.('[data-does="copy-code"]');
  if (!button) return;
  await copyText(button.closest(".code").querySelector("code").textContent);
  button.replaceChildren(icon("check"));
  find("announcer").textContent = say("copied");
  setTimeout(() => button.replaceChildren(icon("copy")), 1500);
});

/** navigator.clipboard exists on https and loopback only; a page in the local network copies by a selection. */
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = make("textarea", { value: text });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function colour(element, language) {
  if (library) return draw(element, language);
  loading ??= import("./vendor/highlight.js").then((module) => {
    library = module.default;
    document.dispatchEvent(new Event("gander:library")); // what grows is drawn again from this copy, which nobody sees any more
  });
  loading.then(() => draw(element, language), () => (loading = null)); // not loaded: code is readable without colours
}

function draw(element, language) {
  if (!library.getLanguage(language)) return;
  const { value } = library.highlight(element.textContent, { language, ignoreIllegals: true });
  element.replaceChildren(globalThis.DOMPurify.sanitize(value, { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true }));
}
