// How an answer came about: a chart of what each word could have been, or the tree of what a beam search weighed.

import * as api from "./api.js";
import { beamSearch } from "./beams.js";
import { find, make } from "./dom.js";
import { say } from "./texts.js";

const percent = (p) => `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)} %`;
const visible = (token) => token.replace(/ /g, "␣").replace(/\n/g, "↵") || "∅";

/** Opens the dialog for an answer. Throws Trouble when the server no longer knows. */
export async function explain(answer) {
  const explanation = await api.explanation(answer);
  find("explanation-body").replaceChildren(...where(explanation), ...shown(explanation));
  find("explanation").showModal();
}

/** The way to the page that shows where on the picture each word was written from, where the engine can say that. */
function where({ how }) {
  if (!how) return [];
  const link = make("a", { href: how, target: "_blank", rel: "noopener", className: "how", textContent: say("explanation-how") });
  return [make("p", {}, link)];
}

function shown(explanation) {
  if (explanation.beams.length) return beamSearch(explanation);
  if (explanation.tokens.length) return chart(explanation);
  return [make("p", { textContent: say(explanation.stopped ? "explanation-stopped" : "explanation-none") })];
}

function chart({ temperature, tokens }) {
  const key = temperature === null ? "explanation-chart-default" : "explanation-chart";
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
  words.setAttribute("aria-label", say("explanation-words"));
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
