// The page begins here: what it needs is fetched side by side, and what the server tells reaches the App.

import * as api from "./api.js";
import { App, PAGE } from "./app.js";
import { find } from "./dom.js";
import { Drafts } from "./drafts.js";
import { banner, unreachable } from "./header.js";
import { loadLanguage, preferredLanguage, speak } from "./texts.js";

const RELOAD = 2000; // milliseconds until a page that could not begin tries again

async function start() {
  const language = preferredLanguage();
  const drafts = new Drafts();
  const [begun] = await Promise.all([begin(language), drafts.load().catch(() => {})]); // without its drafts it is a page, too
  speak(language, begun.words);
  find("language").value = language;
  const app = new App(begun, drafts);
  app.begin(begun.index);
  app.welcome.load();
  const handlers = {
    message: (message) => app.received(message),
    deleted: (message) => app.deleted(message),
    engine: (engine) => app.header.showEngine(engine),
    reload: () => app.reload(),
    online: (online) => app.online(online),
    refused: () => app.look(),
  };
  app.events = new api.Events(handlers, () => app.composer.busy, begun.events);
}

/** All that the page begins with; where that can't be had, at least the words to say so. */
async function begin(language) {
  try {
    return await api.start(PAGE, language);
  } catch (trouble) {
    await loadLanguage(language).catch(() => {});
    throw trouble;
  }
}

start().catch((trouble) => {
  if (!(trouble instanceof api.Trouble)) throw trouble;
  banner(unreachable(trouble));
  setTimeout(() => location.reload(), RELOAD);
});
