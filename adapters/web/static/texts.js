// The page's own words in the person's language. The HTML names them by data-text, data-label and data-placeholder.

export const LANGUAGES = ["en", "zh-CN", "zh-TW"];
const KEY = "gander.language";
let words = {};

export function preferredLanguage() {
  const stored = localStorage.getItem(KEY);
  if (LANGUAGES.includes(stored)) return stored;
  const wanted = navigator.languages.find((language) => /^(zh|en)\b/.test(language)) ?? "en";
  if (!wanted.startsWith("zh")) return "en";
  return new Intl.Locale(wanted).maximize().script === "Hant" ? "zh-TW" : "zh-CN"; // the characters that are read there
}

export function rememberLanguage(language) {
  localStorage.setItem(KEY, language);
}

/** The words for `key`, with {names} filled in. An unknown key shows itself, so that it is noticed. */
export function say(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export async function loadLanguage(language) {
  speak(language, await (await fetch(`/static/texts/${language}.json`)).json());
}

/** Takes these words and puts them where the HTML wants them. */
export function speak(language, told) {
  words = told;
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = say(node.dataset.text);
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = say(node.dataset.placeholder);
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", say(node.dataset.label));
    if (node.tagName === "BUTTON") node.title = say(node.dataset.label);
  }
}
