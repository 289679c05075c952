// What a beam search weighed: the drafts that finished, by what the engine ranked them, and the tree of all that it followed.
// Which one won is the engine's word: nothing here is guessed from what the texts say.

import { make } from "./dom.js";
import { say } from "./texts.js";

const LEAVES = 24; // of a tree that went on to the end of the search, the longest-lived: more than that nobody reads

const figure = (number) => number.toFixed(Math.abs(number) < 0.1 ? 3 : 2);

/** The drafts that finished, best first, and how their figures come about. Nothing where the engine doesn't rank. */
function finished({ beams, length_penalty: penalty }) {
  const ranked = beams.filter((node) => node.rank != null).sort((a, b) => b.rank - a.rank || b.chosen - a.chosen);
  if (!ranked.length || penalty == null) return [make("p", { textContent: say("explanation-unranked") })];
  const why = say(penalty === 0 ? "explanation-why-plain" : "explanation-why", { penalty: Number(penalty.toFixed(2)) });
  const draft = (node) => {
    const words = node.text.trim() || say("explanation-wordless");
    const sum = penalty === 0 ? "" : `${figure(node.score)} ÷ ${node.step}${penalty === 1 ? "" : `^${Number(penalty.toFixed(2))}`} = `;
    const line = make("li", { className: node.chosen ? "draft won" : "draft" }, make("q", { textContent: words }));
    line.append(make("span", { className: "score", textContent: `${sum}${figure(node.rank)}` }));
    if (node.chosen) line.append(make("strong", { textContent: `★ ${say("explanation-won")}` }));
    return line;
  };
  const parts = [make("h3", { textContent: say("explanation-finished") }), make("p", { className: "small", textContent: why })];
  if (ranked.some((node) => !node.text.trim())) parts.push(make("p", { className: "small", textContent: say("explanation-empty") }));
  return [...parts, make("ol", { className: "finished" }, ...ranked.map(draft))];
}

/** By parent: the nodes on the way to every draft that finished, and to those that lived longest; best first. */
function branches(beams) {
  const parents = new Set(beams.map(({ parent }) => parent));
  const leaves = [...beams.keys()].filter((n) => !parents.has(n) && beams[n].rank == null);
  leaves.sort((a, b) => beams[b].step - beams[a].step || beams[b].score - beams[a].score);
  const ends = [...beams.keys()].filter((n) => beams[n].rank != null);
  const kept = new Set();
  for (let n of [...ends, ...leaves.slice(0, LEAVES)]) for (; n !== null && !kept.has(n); n = beams[n].parent) kept.add(n);
  const children = new Map();
  for (const n of [...kept].sort((a, b) => beams[b].score - beams[a].score)) {
    children.set(beams[n].parent, [...(children.get(beams[n].parent) ?? []), n]);
  }
  return children;
}

function wayTo(beams, n) {
  const way = new Set();
  for (; n >= 0 && n !== null; n = beams[n].parent) way.add(n);
  return way;
}

/** What the nodes from one's first word to `last` add; an end adds no word, but is one. */
function piece(beams, first, last) {
  const before = beams[first].parent === null ? "" : beams[beams[first].parent].text;
  const { text, rank } = beams[last];
  const added = (text.startsWith(before) ? text.slice(before.length) : text).trim();
  return rank == null ? added || "…" : `${added} ${say(text.trim() ? "explanation-end" : "explanation-wordless")}`.trim();
}

function tree(beams) {
  const children = branches(beams);
  const won = wayTo(beams, beams.findIndex((node) => node.chosen));

  /** One line for as long as there is only one way on. */
  function item(first) {
    let n = first;
    while (children.get(n)?.length === 1) [n] = children.get(n);
    const score = make("span", { className: "score", textContent: figure(beams[n].score) });
    const line = make("span", { className: won.has(n) ? "piece won" : "piece" }, piece(beams, first, n), " ", score);
    const leaf = make("li", {}, line);
    if (children.has(n)) leaf.append(make("ul", {}, ...children.get(n).map(item)));
    else if (won.has(n)) line.append(` ★ ${say("explanation-won")}`);
    return leaf;
  }
  return make("ul", { className: "tree" }, ...(children.get(null) ?? []).map(item));
}

/** The nodes that show a search. */
export function beamSearch(explanation) {
  const heading = make("h3", { textContent: say("explanation-followed") });
  return [...finished(explanation), heading, make("p", { className: "small", textContent: say("explanation-tree") }), tree(explanation.beams)];
}
