// How an answer came about: a chart of what each word could have been, or the tree of what a beam search weighed.

import * as api from "./api.js";
import { find, make } from "./dom.js";
import { say } from "./texts.js";

const LEAVES = 24; // of a tree, the longest-lived: more than that nobody reads

const percent = (p) => `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)} %`;
const visible = (token) => token.replace(/ /g, "␣").replace(/\n/g, "↵") || "∅";

/** Opens the dialog for an answer. Throws Trouble when the server no longer knows. */
export async function explain(answer) {
  const insight = await api.insight(answer);
  const nothing = [make("p", { textContent: say("insight-none") })];
  find("insight-body").replaceChildren(...(insight.beams.length ? tree(insight) : insight.tokens.length ? chart(insight) : nothing));
  find("insight").showModal();
}

function chart({ temperature, tokens }) {
  const key = temperature === null ? "insight-chart-default" : "insight-chart";
  const told = say(key, { temperature: temperature === null ? "" : Number(temperature.toFixed(2)) });
  const bars = make("ol", { className: "chances" });
  const buttons = tokens.map((token) => make("button", { type: "button", textContent: token.token, onclick: () => choose(token) }));
  function choose(token) {
    for (const [n, button] of buttons.entries()) button.setAttribute("aria-pressed", String(tokens[n] === token));
    bars.replaceChildren(...token.top.map((each) => chance(each, each.token === token.token)));
  }
  for (const [n, button] of buttons.entries()) {
    button.style.setProperty("--sure", tokens[n].top.find((each) => each.token === tokens[n].token).p);
    if (!tokens[n].token.trim()) button.setAttribute("aria-label", visible(tokens[n].token));
  }
  choose(tokens[0]);
  const words = make("div", { className: "tokens" }, ...buttons);
  words.setAttribute("role", "group");
  words.setAttribute("aria-label", say("insight-words"));
  return [make("p", { className: "small", textContent: told }), words, bars];
}

function chance({ token, p }, chosen) {
  const bar = make("span", { className: "bar" });
  bar.style.setProperty("--share", p);
  const name = make("code", { textContent: visible(token) });
  const row = make("li", { className: chosen ? "chosen" : "" }, name, bar, make("span", { textContent: percent(p) }));
  if (chosen) row.setAttribute("aria-current", "true");
  return row;
}

/** By parent: the nodes on the way to the hypotheses that lived longest, best first. */
function branches(beams) {
  const parents = new Set(beams.map(({ parent }) => parent));
  const leaves = [...beams.keys()].filter((n) => !parents.has(n));
  leaves.sort((a, b) => beams[b].step - beams[a].step || beams[b].score - beams[a].score);
  const kept = new Set();
  for (let n of leaves.slice(0, LEAVES)) for (; n !== null && !kept.has(n); n = beams[n].parent) kept.add(n);
  const children = new Map();
  for (const n of [...kept].sort((a, b) => beams[b].score - beams[a].score)) {
    children.set(beams[n].parent, [...(children.get(beams[n].parent) ?? []), n]);
  }
  return children;
}

/** The way to the answer, from its last node up; empty when it is not in the tree. */
function wayTo(beams, text) {
  const way = new Set();
  for (let n = beams.findLastIndex((node) => node.text.trim() === text.trim()); n >= 0 && n !== null; n = beams[n].parent) way.add(n);
  return way;
}

function tree({ beams, text }) {
  const children = branches(beams);
  const won = wayTo(beams, text);

  /** One line for as long as there is only one way on. */
  function item(first) {
    const before = beams[first].parent === null ? "" : beams[beams[first].parent].text;
    let n = first;
    while (children.get(n)?.length === 1) [n] = children.get(n);
    const piece = beams[n].text.startsWith(before) ? beams[n].text.slice(before.length) : beams[n].text;
    const score = make("span", { className: "score", textContent: beams[n].score.toFixed(2) });
    const line = make("span", { className: won.has(n) ? "piece won" : "piece" }, piece.trim() || "∅", " ", score);
    const leaf = make("li", {}, line);
    if (children.has(n)) leaf.append(make("ul", {}, ...children.get(n).map(item)));
    else if (won.has(n)) line.append(` ★ ${say("insight-won")}`);
    return leaf;
  }
  const roots = make("ul", { className: "tree" }, ...(children.get(null) ?? []).map(item));
  return [make("p", { className: "small", textContent: say("insight-tree") }), roots];
}
