// The page begins here: what it needs is fetched side by side, and what the server tells reaches the App.

import * as api from "./api.js";
import { App, PAGE } from "./app.js";
import { find } from "./dom.js";
import { Drafts } from "./drafts.js";
import { banner, unreachable } from "./header.js";
import { loadLanguage, preferredLanguage } from "./texts.js";

const RELOAD = 2000; // milliseconds until a page that could not begin tries again

async function start() {
  const language = preferredLanguage();
  const drafts = new Drafts();
  const begun = api.start(PAGE, language); // beside the words, not after them
  const index = api.conversations("").catch(() => ({ conversations: [], more: false })); // a newcomer is not known yet, and has none
  await Promise.allSettled([begun, loadLanguage(language), drafts.load()]);
  find("language").value = language;
  const app = new App(await begun, drafts);
  app.begin(await index);
  app.welcome.load();
  const handlers = {
    message: (message) => app.received(message),
    deleted: (message) => app.deleted(message),
    engine: (engine) => app.header.showEngine(engine),
    reload: () => app.reload(),
    online: (online) => app.online(online),
    refused: () => app.look(),
  };
  app.events = new api.Events(handlers, () => app.composer.busy, (await begun).events);
}

start().catch((trouble) => {
  if (!(trouble instanceof api.Trouble)) throw trouble;
  banner(unreachable(trouble));
  setTimeout(() => location.reload(), RELOAD);
});
