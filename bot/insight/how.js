// Lights up on the pictures what the chosen word looked at. All words stand in the page already; without this script they all show.
"use strict";

const { pictures, words } = JSON.parse(document.getElementById("maps").textContent);
const DARKEST = 0.78; // of the veil where nothing was looked at
const LINES = "rgb(128 128 128 / 30%)"; // between the patches

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** A dark veil with holes where the map is bright, a pixel for each patch. */
function veil(map, rows, columns) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(columns, rows);
  map.forEach((value, at) => (image.data[4 * at + 3] = 255 * DARKEST * (1 - value / 255)));
  pen.putImageData(image, 0, 0);
  return canvas;
}

function cover(canvas, map, { rows, columns }) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!rows || !map.length) return;
  pen.drawImage(veil(map, rows, columns), 0, 0, canvas.width, canvas.height);
  pen.fillStyle = LINES;
  for (let at = 1; at < columns; at++) pen.fillRect((at * canvas.width) / columns, 0, 1, canvas.height);
  for (let at = 1; at < rows; at++) pen.fillRect(0, (at * canvas.height) / rows, canvas.width, 1);
}

const stages = [...document.querySelectorAll(".seen canvas")];
const buttons = [...document.querySelectorAll("[data-word]")];
let chosen = 0;

function show(at) {
  stages.forEach((canvas, number) => cover(canvas, bytes(words[at]?.[number] ?? ""), pictures[number]));
  document.querySelectorAll(".told > section").forEach((told, number) => (told.hidden = number !== at));
  buttons.forEach((button, number) => button.classList.toggle("lit", number === at));
}

function choose(at) {
  chosen = at;
  buttons.forEach((button, number) => button.setAttribute("aria-pressed", String(number === at)));
  show(at);
}

buttons.forEach((button, at) => {
  button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(at));
  button.addEventListener("pointerleave", () => show(chosen));
  button.addEventListener("focus", () => choose(at));
  button.addEventListener("click", () => choose(at));
});

document.querySelector(".words")?.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const next = step && buttons[buttons.indexOf(document.activeElement) + step];
  if (next) next.focus();
});

/** Small pictures of the queries, or of the eye's own attention, once each picture is there. */
function drawQueries() {
  for (const canvas of document.querySelectorAll("[data-query]")) {
    const picture = pictures[canvas.dataset.picture];
    const image = document.querySelectorAll(".seen img")[canvas.dataset.picture];
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const map = canvas.dataset.query === "eye" ? picture.eye : picture.queries[canvas.dataset.query];
    canvas.getContext("2d").drawImage(veil(bytes(map), picture.rows, picture.columns), 0, 0, canvas.width, canvas.height);
  }
}

Promise.all([...document.querySelectorAll(".seen img")].map((image) => image.decode().catch(() => null))).then(drawQueries);
if (buttons.length) choose(buttons.findIndex((button) => button.getAttribute("aria-pressed") === "true"));
