// Turns the Markdown that models write into DOM nodes: markdown-it reads it, DOMPurify lets only harmless elements through.
// Maths and coloured code are drawn by libraries that are fetched when a message first needs them (math.js, code.js).

import "./vendor/dompurify.js";
import MarkdownIt from "./vendor/markdown-it.js";
import { code } from "./code.js";
import { mathRules, typeset } from "./math.js";

const purifier = globalThis.DOMPurify;
const ALLOWED = {
  ALLOWED_TAGS: "a blockquote br code del div em h3 h4 h5 h6 hr li ol p pre s span strong table tbody td th thead tr ul".split(" "),
  ALLOWED_ATTR: ["href", "title", "target", "rel", "class", "start", "align", "scope", "data-math"],
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const DEEPEST = 20; // blocks within blocks: what lies deeper is plain text, or a long row of ">" would be too much for the browser
const READ_BY_ITSELF = "p, h3, h4, h5, h6, ul, ol, blockquote, table"; // each in the direction of its own first letters

/** `breaks`: a model's line breaks are meant. `html` stays off: model text never becomes elements of its own. */
const parser = new MarkdownIt({ html: false, linkify: true, breaks: true }).disable("image").use(mathRules);
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
parser.validateLink = (url) => /^https?:\/\//i.test(url);

parser.block.ruler.before("table", "deep", (state, startLine, endLine, silent) => {
  if (state.level < 2 * DEEPEST || silent) return false;
  const content = state.getLines(startLine, endLine, state.blkIndent, false).trim();
  const text = Object.assign(new state.Token("text", "", 0), { content });
  state.push("paragraph_open", "p", 1);
  Object.assign(state.push("inline", "", 0), { content: "", children: [text] });
  state.push("paragraph_close", "p", -1);
  state.line = endLine;
  return true;
});

parser.core.ruler.push("page", ({ tokens }) => tokens.forEach(fitToPage));

/** The page has an h1 and h2 of its own; alignment comes as an attribute, since the policy allows no inline styles. */
function fitToPage(token) {
  if (token.type.startsWith("heading_")) token.tag = `h${Math.min(6, Number(token.tag[1]) + 2)}`;
  if (token.type === "th_open") token.attrSet("scope", "col");
  const align = /text-align:\s*(\w+)/.exec(token.attrGet("style") ?? "");
  if (align) token.attrs = [...token.attrs.filter(([name]) => name !== "style"), ["align", align[1]]];
}

parser.renderer.rules.link_open = (tokens, index, options, env, renderer) => {
  const link = tokens[index];
  for (const [name, value] of [["target", "_blank"], ["rel", "noopener noreferrer nofollow"], ["title", link.attrGet("href")]]) link.attrSet(name, value);
  return renderer.renderToken(tokens, index, options);
};

/** What is wider than the page is scrolled by itself, with the keyboard, too. */
function wrapTable(table) {
  const box = document.createElement("div");
  box.className = "table";
  box.tabIndex = 0;
  table.replaceWith(box);
  box.append(table);
}

/** The nodes of a whole message. An unfinished one (an open fence, half a table) is shown as far as it goes. */
export function markdown(text) {
  const fragment = purifier.sanitize(parser.render(text), ALLOWED);
  for (const block of fragment.querySelectorAll(READ_BY_ITSELF)) block.dir = "auto";
  for (const table of fragment.querySelectorAll("table")) wrapTable(table);
  for (const block of fragment.querySelectorAll("pre")) block.replaceWith(code(block.firstElementChild));
  for (const formula of fragment.querySelectorAll("[data-math]")) typeset(formula);
  return [...fragment.childNodes].filter((node) => node.nodeType === Node.ELEMENT_NODE || node.textContent.trim());
}
