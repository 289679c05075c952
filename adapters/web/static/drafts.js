// What was typed and chosen and not sent yet: each conversation has its own, and a reload loses none of it.
// Words lie in localStorage, which takes them at once; pictures in IndexedDB, which takes files.

const WORDS = "gander.draft.";
const DATABASE = "gander";
const PICTURES = "pictures";

/**
 * Of one conversation. `pictures`: { file, url }; `replyTo`: the message that it goes on from; `instead`: the question that it is
 * asked in the place of; `id`: of a try whose end nobody knows.
 */
function draft(words = {}, pictures = []) {
  return { text: "", replyTo: null, instead: null, id: null, problem: "", ...words, pictures };
}

export class Drafts {
  #known = new Map(); // conversation's first message, or "" for a new one → its draft
  #database = null; // null: this browser keeps no files, as some do in private windows

  /** All drafts are there afterwards. */
  async load() {
    this.#database = await opened().catch(() => null);
    if (!this.#database) return;
    const found = this.#database.transaction(PICTURES).objectStore(PICTURES);
    const [keys, files] = await Promise.all([done(found.getAllKeys()), done(found.getAll())]);
    keys.forEach((key, at) => this.#known.set(key, draft(stored(key), files[at].map(shown))));
  }

  of(conversation) {
    const key = conversation ?? "";
    if (!this.#known.has(key)) this.#known.set(key, draft(stored(key)));
    return this.#known.get(key);
  }

  /** Keeps what a draft says now; an empty one is forgotten. */
  keep(conversation) {
    const key = conversation ?? "";
    const { text, replyTo, instead, id, pictures } = this.of(key);
    if (text || replyTo) localStorage.setItem(WORDS + key, JSON.stringify({ text, replyTo, instead, id }));
    else localStorage.removeItem(WORDS + key);
    this.#keepPictures(key, pictures);
  }

  /** A conversation has another name now. */
  move(from, to) {
    const { id, text, pictures, instead, problem } = this.of(from);
    if (text || pictures.length) this.restore(to, { id, text, pictures, instead, problem });
    Object.assign(this.of(from), draft());
    this.keep(from);
  }

  /** What was not taken comes back; nothing of what was typed meanwhile is lost. */
  restore(conversation, { id, text, pictures, instead = null, problem }) {
    const known = this.of(conversation);
    const alone = !known.text && !known.pictures.length;
    known.text = [known.text, text].filter(Boolean).join("\n");
    known.pictures = [...known.pictures, ...pictures];
    known.id = alone ? id : null;
    known.instead = alone ? instead : known.instead;
    known.problem = problem || known.problem;
    this.keep(conversation);
  }

  /** A question that nobody knew the end of was stored after all. True: its words stood in a draft, which is empty now. */
  settle(id) {
    const key = [...this.#known.keys()].find((each) => this.#known.get(each).id === id);
    if (key === undefined) return false;
    Object.assign(this.of(key), draft());
    this.keep(key);
    return true;
  }

  #keepPictures(key, pictures) {
    if (!this.#database) return;
    const store = this.#database.transaction(PICTURES, "readwrite").objectStore(PICTURES);
    if (pictures.length) store.put(pictures.map(({ file }) => file), key);
    else store.delete(key);
  }
}

/** The pictures at these addresses of ours, as a draft holds them. */
export async function picturesOf(urls) {
  const one = async (url, number) => {
    const blob = await (await fetch(url)).blob();
    return shown(new File([blob], `picture-${number + 1}.${blob.type.split("/").pop()}`, { type: blob.type }));
  };
  return Promise.all(urls.map(one));
}

export const shown = (file) => ({ file, url: URL.createObjectURL(file) });

function stored(key) {
  return JSON.parse(localStorage.getItem(WORDS + key) ?? "{}");
}

function opened() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(PICTURES);
  return done(request);
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
