// Keeps the end of a conversation in sight for whoever looks at it, and never pulls back a reader who scrolled up.

const AT_END = 8; // pixels: a browser's zoom leaves fractions

export class Follower {
  #following = true;
  #top = 0; // where the reader was at the last look

  /** `box` scrolls; `content` grows in it; `away` is told whether the end is out of sight. */
  constructor(box, content, away) {
    this.box = box;
    this.content = content;
    this.away = away;
    box.addEventListener("scroll", () => this.#scrolled());
    // Words grow, pictures load late, and the field below takes room.
    const watch = new ResizeObserver(() => (this.#following ? this.toEnd() : this.#tell()));
    for (const each of [content, box]) watch.observe(each);
  }

  /** Of a page without messages one reads the beginning. */
  toEnd() {
    this.#following = true;
    this.box.scrollTop = this.content.childElementCount ? this.box.scrollHeight : 0;
    this.#top = this.box.scrollTop;
    this.#tell();
  }

  /** Upwards is a person's doing (or there is less to see, and the end is in sight); growth moves nobody. */
  #scrolled() {
    const { scrollTop } = this.box;
    if (scrollTop < this.#top) this.#following = this.#left() <= AT_END;
    else if (this.#left() <= AT_END) this.#following = true;
    this.#top = scrollTop;
    this.#tell();
  }

  #left() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight;
  }

  #tell() {
    this.away(!this.#following && this.#left() > AT_END);
  }
}
