// A picture in full, on which a part can be drawn to be looked at closer: by dragging, or by the arrow keys.

import { find } from "./dom.js";
import { say } from "./texts.js";

const LEAST = 2; // percent of a side: a press without dragging draws nothing
const STEP = 5; // percent, that an arrow key moves a part by
const FIRST = { left: 27.5, top: 27.5, right: 72.5, bottom: 72.5 }; // where the keys begin

const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

export class Viewer {
  #part = null; // in percent of the picture's sides
  #from = null; // where dragging began

  /** `chosen(message, region)`: a part was drawn, four edges in percent as `/zoom` takes them. */
  constructor(chosen) {
    const frame = find("viewer-frame");
    find("viewer-close").onclick = () => find("viewer").close();
    find("viewer").onclick = (event) => event.target === find("viewer") && find("viewer").close();
    find("viewer-ask").onclick = () => this.#ask(chosen);
    frame.onpointerdown = (event) => this.#begin(event);
    frame.onpointermove = (event) => this.#from && this.#draw(spanned(this.#from, this.#at(event)));
    frame.onpointerup = frame.onpointercancel = () => this.#end();
    frame.onkeydown = (event) => this.#key(event, chosen);
    find("viewer-picture").draggable = false;
  }

  show(url, message) {
    this.message = message;
    Object.assign(find("viewer-picture"), { src: url, alt: say("picture-only") });
    this.#draw(null);
    find("viewer").showModal();
  }

  #begin(event) {
    if (event.button) return;
    this.#from = this.#at(event);
    find("viewer-frame").setPointerCapture(event.pointerId);
  }

  #end() {
    const { left, top, right, bottom } = this.#part ?? FIRST;
    if (this.#from && (right - left < LEAST || bottom - top < LEAST)) this.#draw(null);
    this.#from = null;
  }

  /** Arrow keys move the part, with Shift they change its size; Enter asks about it. */
  #key(event, chosen) {
    if (event.key === "Enter" && this.#part) {
      event.preventDefault(); // or the field, which gets the focus, would take the key for a new line
      return this.#ask(chosen);
    }
    const [across, down] = ARROWS[event.key] ?? [];
    if (across === undefined) return;
    event.preventDefault();
    const { left, top, right, bottom } = this.#part ?? FIRST;
    const moved = { left: left + across, top: top + down, right: right + across, bottom: bottom + down };
    const next = event.shiftKey ? { left, top, right: moved.right, bottom: moved.bottom } : moved;
    const fits = next.left >= 0 && next.top >= 0 && next.right <= 100 && next.bottom <= 100;
    const shown = next.right - next.left >= LEAST && next.bottom - next.top >= LEAST;
    this.#draw(this.#part && !(fits && shown) ? this.#part : this.#part ? next : FIRST);
  }

  #ask(chosen) {
    const { left, top, right, bottom } = this.#part;
    find("viewer").close();
    chosen(this.message, [left, top, right, bottom].map((edge) => Math.round(edge * 10) / 10).join(","));
  }

  #draw(part) {
    this.#part = part;
    find("viewer-part").hidden = find("viewer-ask").hidden = !part;
    if (!part) return;
    const { left, top, right, bottom } = part;
    Object.assign(find("viewer-part").style, { left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%` });
  }

  #at(event) {
    const box = find("viewer-picture").getBoundingClientRect();
    const share = (at, from, length) => Math.min(Math.max(((at - from) / length) * 100, 0), 100);
    return { x: share(event.clientX, box.left, box.width), y: share(event.clientY, box.top, box.height) };
  }
}

function spanned(one, other) {
  const [left, right] = [one.x, other.x].sort((a, b) => a - b);
  const [top, bottom] = [one.y, other.y].sort((a, b) => a - b);
  return { left, top, right, bottom };
}
