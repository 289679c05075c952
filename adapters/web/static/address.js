// The conversation on the screen has an address: for the back button, a reload, a bookmark, another device of the same person.

const ADDRESS = /^\/c\/([0-9a-f]{16})$/;
let shown = false; // the first conversation takes the place of the address that the page was opened at

/** The server's name of the conversation that the address is of; null: of none. */
export function addressed() {
  return ADDRESS.exec(location.pathname)?.[1] ?? null;
}

/** `key` null: an empty page. */
export function show(key) {
  const path = key === null ? "/" : `/c/${key}`;
  if (location.pathname !== path) history[shown ? "pushState" : "replaceState"](null, "", path);
  shown = true;
}
