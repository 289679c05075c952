// Formulas that models write in LaTeX: \( … \) and \[ … \], and $$ … $$, become MathML by Temml.

const FENCES = [["\\[", "\\]"], ["$$", "$$"]];
const LONGEST = 5000; // letters of one formula
let library = null; // Temml, once it is there
let loading = null;

/** A markdown-it plugin: formulas are found before escapes and emphasis would take them apart. */
export function mathRules(parser) {
  parser.inline.ruler.before("escape", "math", inlineRule);
  parser.block.ruler.before("fence", "math", blockRule, { alt: ["paragraph", "blockquote", "list"] });
  parser.renderer.rules.math = (tokens, index) => html(parser, tokens[index], "span");
  parser.renderer.rules.math_block = (tokens, index) => html(parser, tokens[index], "div");
}

function html(parser, token, tag) {
  return `<${tag} class="math" data-math="${token.markup}">${parser.utils.escapeHtml(token.content)}</${tag}>`;
}

function inlineRule(state, silent) {
  const pair = [["\\(", "\\)"], ...FENCES].find(([open]) => state.src.startsWith(open, state.pos));
  if (!pair) return false;
  const end = state.src.indexOf(pair[1], state.pos + 2);
  const content = state.src.slice(state.pos + 2, end).trim();
  if (end < 0 || end >= state.posMax || !content) return false;
  if (!silent) Object.assign(state.push("math", "", 0), { content, markup: pair[0] === "\\(" ? "inline" : "display" });
  state.pos = end + 2;
  return true;
}

/** Lines from one that begins with a fence to one that ends with its partner; without a partner it is text (still). */
function blockRule(state, startLine, endLine, silent) {
  const line = (number) => state.src.slice(state.bMarks[number] + state.tShift[number], state.eMarks[number]).trim();
  const pair = FENCES.find(([open]) => line(startLine).startsWith(open));
  if (!pair || state.sCount[startLine] - state.blkIndent >= 4) return false;
  const last = lastLine(line, pair, startLine, endLine);
  if (last === null) return false;
  if (silent) return true;
  const content = Array.from({ length: last - startLine + 1 }, (_, index) => line(startLine + index)).join("\n").slice(2, -2).trim();
  Object.assign(state.push("math_block", "", 0), { content, markup: "display", block: true, map: [startLine, last + 1] });
  state.line = last + 1;
  return true;
}

function lastLine(line, [, close], startLine, endLine) {
  for (let number = startLine; number < endLine; number += 1) {
    const text = number === startLine ? line(number).slice(2) : line(number);
    if (text.endsWith(close)) return number;
    if (text.includes(close)) return null; // words follow the formula: the inline rule takes it
  }
  return null;
}

/** Draws a formula, at once or as soon as the library is there. One that can't be read stays LaTeX. */
export function typeset(formula) {
  if (library) return draw(formula);
  loading ??= load();
  loading.then(() => draw(formula), () => {}); // not loaded: the LaTeX is readable, too, and the next message tries again
}

function draw(formula) {
  const source = formula.textContent;
  if (source.length > LONGEST || formula.querySelector("math")) return;
  try {
    library.render(source, formula, { displayMode: formula.dataset.math === "display", throwOnError: true, trust: false });
    formula.title = source;
  } catch (error) {
    if (!(error instanceof library.ParseError)) throw error;
    formula.textContent = source;
  }
}

function load() {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/static/vendor/temml.js";
    script.onload = () => {
      resolve((library = globalThis.temml));
      document.dispatchEvent(new Event("gander:library")); // what grows is drawn again from this copy, which nobody sees any more
    };
    script.onerror = () => {
      script.remove();
      loading = null;
      reject(new Error("temml.js could not be loaded"));
    };
    document.head.append(script);
  });
}
