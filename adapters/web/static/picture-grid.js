// A picture under a grid of buttons, one for each of its parts: pressed, or reached by the arrow keys.

import { make } from "./dom.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

/** `commands`: of each part, row by row, `across` of them in each: { label, command }. */
export function pictureGrid(picture, commands, across, actions) {
  const cells = commands.map(({ label, command }) =>
    make("button", { type: "button", onclick: () => actions.type(command) }, make("span", { textContent: label })),
  );
  const grid = make("div", { className: "cells", onkeydown: (event) => move(event, cells, across) }, ...cells);
  grid.style.setProperty("--across", across);
  return make("div", { className: "picture-grid" }, picture, grid);
}

function move(event, cells, across) {
  const step = { ...STEPS, ArrowUp: -across, ArrowDown: across }[event.key];
  const next = step && cells[cells.indexOf(document.activeElement) + step];
  if (!next) return;
  event.preventDefault(); // the page would scroll
  next.focus();
}
