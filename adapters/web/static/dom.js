// Short names for making elements, used by every part of the page.

import { say } from "./texts.js";

export const find = (id) => document.getElementById(id);

/** An element with properties and children: `make("p", { className: "small" }, "text")`. */
export function make(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A small button with a picture and a name that screen readers and tooltips say. */
export function iconButton(name, label, onclick, properties = {}) {
  const button = make("button", { type: "button", className: "icon small", title: label, onclick, ...properties }, icon(name));
  button.setAttribute("aria-label", label);
  return button;
}

/** An id for something we send. Unlike crypto.randomUUID this also works where the page comes over plain HTTP. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The beginning of a person's text, in one line and as it was written. */
export function firstWords(text, count = 60) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > count ? `${line.slice(0, count - 1)}…` : line || say("picture-only");
}

/** The beginning of what a model wrote, to be heard: without the signs of Markdown. */
export function spoken(text) {
  return firstWords(text.replace(/[*_`#>]/g, ""), 400);
}
