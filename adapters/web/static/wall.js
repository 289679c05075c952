// The wall's composition root: follows the events, keeps the newest entries, and lets the presenter hide one.

import { find } from "./dom.js";
import { drawSide } from "./wall-side.js";
import { Stage } from "./wall-stage.js";
import { loadLanguage, preferredLanguage, say } from "./texts.js";

const KEEP = 120; // entries; the server tells which are gone, this is for the page's own peace
const RETRY = 2000; // milliseconds
const UNDO = 60_000;
const wall = location.pathname.replace(/\/$/, "");
const KEY = `gander.wall.${wall}`;

/** The presenter's key comes after the `#`, which no server sees; it leaves the address bar at once, which the room sees. */
function presenterKey() {
  if (location.hash.length > 1) {
    sessionStorage.setItem(KEY, decodeURIComponent(location.hash.slice(1)));
    history.replaceState(null, "", wall);
  }
  return sessionStorage.getItem(KEY);
}

class Wall {
  entries = new Map(); // id → entry, oldest first
  now = { prompt: "", over: false, waiting: 0, answering: 0, speed: 0, liked: [] };
  last = ""; // the newest event that was seen

  constructor(key) {
    this.key = key;
    this.stage = new Stage(this.entries, key ? (entry) => this.hide(entry) : null, `${wall}/maps`);
    find("maps").hidden = !key;
    find("maps").onclick = () => this.tell("maps", { maps: !this.now.maps });
    setInterval(() => this.stage.turn(), 1000);
    new ResizeObserver(() => this.stage.fit()).observe(find("stage"));
    this.open();
  }

  open() {
    const source = new EventSource(`${wall}/events?after=${encodeURIComponent(this.last)}`);
    source.onopen = () => this.online(true);
    source.onerror = () => {
      this.online(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), RETRY); // the browser has given up
    };
    const take = (kind, action) =>
      source.addEventListener(kind, (event) => {
        this.last = event.lastEventId;
        action(JSON.parse(event.data));
        this.draw();
      });
    take("entry", (entry) => this.put(entry));
    take("gone", ({ id }) => this.entries.delete(id));
    take("now", (now) => (this.now = now));
    source.addEventListener("reload", () => this.again(source));
  }

  /** The server no longer has what we missed: everything is asked for anew. */
  again(source) {
    source.close();
    this.entries.clear();
    this.last = "";
    this.open();
  }

  put(entry) {
    this.entries.set(entry.id, entry);
    while (this.entries.size > KEEP) this.entries.delete(this.entries.keys().next().value);
  }

  online(online) {
    find("offline").textContent = say("wall-offline");
    find("offline").hidden = online;
  }

  draw() {
    find("prompt").textContent = this.now.over ? say("wall-over") : this.now.prompt || "Gander";
    for (const name of ["speed", "answering", "waiting"]) find(name).textContent = this.now[name];
    find("maps").setAttribute("aria-pressed", String(Boolean(this.now.maps)));
    this.stage.maps = Boolean(this.now.maps);
    this.stage.draw();
    drawSide([...this.entries.values()], this.now.liked, this.stage.featured);
  }

  /** What only the presenter may: the key goes along. */
  tell(address, wish) {
    const body = JSON.stringify({ ...wish, key: this.key });
    return fetch(`${wall}/${address}`, { method: "POST", body, headers: { "Content-Type": "application/json" } });
  }

  async hide(entry, hidden = true) {
    const response = await this.tell("hidden", { question: entry.question, hidden });
    if (!response.ok) return;
    find("toast").hidden = !hidden;
    find("undo").onclick = () => this.hide(entry, false);
    if (hidden) setTimeout(() => (find("toast").hidden = true), UNDO);
  }
}

await loadLanguage(preferredLanguage());
new Wall(presenterKey());
