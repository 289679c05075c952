// Turns the Markdown that models write into DOM nodes. Only elements and text nodes are made: model text never becomes HTML.

const INLINE = new RegExp(
  [
    /\\([\\`*_{}[\]()#+\-.!~|>])/, // 1: an escaped sign
    /(`+)([^`]+?)\2(?!`)/, // 2, 3: code
    /\*\*(?=\S)([^*]+(?:\*[^*]+\*[^*]*)*?)\*\*/, // 4: strong
    /(?<![\w_])__(?=\S)([^_]+)__(?![\w_])/, // 5: strong
    /\*(?=[^\s*])([^*]+)\*/, // 6: emphasis
    /(?<![\w_])_(?=[^\s_])([^_]+)_(?![\w_])/, // 7: emphasis
    /~~([^~]+)~~/, // 8: struck out
    /\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/, // 9, 10: link
    /(https?:\/\/[^\s<>"'`)\]]*[^\s<>"'`)\].,;:!?。，；：！？])/, // 11: bare link
  ].map((part) => part.source).join("|"),
  "g",
);

const DEEPEST = 20; // blocks within blocks: what lies deeper is plain text, or a long row of ">" would be too much for the browser
const BULLET = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const FENCE = /^\s*(```+|~~~+)\s*(\S*)/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*$/;

function element(name, children, attributes = {}) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function link(url, children) {
  return element("a", children, { href: url, target: "_blank", rel: "noopener noreferrer nofollow", title: url });
}

function inlineNode(match) {
  const [, escaped, , code, strong, strong2, emphasis, emphasis2, struck, label, url, bare] = match;
  if (escaped) return document.createTextNode(escaped);
  if (code) return element("code", [code]);
  if (strong || strong2) return element("strong", inline(strong || strong2));
  if (emphasis || emphasis2) return element("em", inline(emphasis || emphasis2));
  if (struck) return element("del", inline(struck));
  return url ? link(url, [label]) : link(bare, [bare]);
}

/** Nodes of one run of text: code, strong, emphasis and links. */
function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) nodes.push(text.slice(end, match.index));
    nodes.push(inlineNode(match));
    end = match.index + match[0].length;
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

/** A paragraph keeps the model's line breaks: it means them. */
function paragraph(lines) {
  const children = lines.flatMap((line, index) => (index ? [document.createElement("br"), ...inline(line)] : inline(line)));
  return element("p", children);
}

function takeFence(lines, fence) {
  lines.shift();
  const body = [];
  while (lines.length && !lines[0].trim().startsWith(fence)) body.push(lines.shift());
  lines.shift();
  return element("pre", [element("code", [body.join("\n")])], { tabindex: "0" });
}

function takeQuote(lines) {
  const body = [];
  while (lines.length && /^\s*>/.test(lines[0])) body.push(lines.shift().replace(/^\s*> ?/, ""));
  return element("blockquote", blocks(body));
}

function takeItem(lines) {
  const [, indent, mark, first] = BULLET.exec(lines.shift());
  const inside = indent.length + mark.length;
  const body = [first];
  while (lines.length) {
    const spaces = lines[0].length - lines[0].trimStart().length;
    if (lines[0].trim() && spaces < Math.min(inside, indent.length + 2)) break;
    body.push(lines.shift().slice(Math.min(spaces, inside + 1)));
  }
  const children = blocks(body);
  return element("li", children.length === 1 && children[0].tagName === "P" ? [...children[0].childNodes] : children);
}

function takeList(lines) {
  const [, indent, mark] = BULLET.exec(lines[0]);
  const ordered = /\d/.test(mark);
  const list = element(ordered ? "ol" : "ul", [], ordered ? { start: parseInt(mark, 10) } : {});
  for (let match; lines.length && (match = BULLET.exec(lines[0])); ) {
    if (match[1].length < indent.length || /\d/.test(match[2]) !== ordered) break;
    list.append(takeItem(lines));
  }
  return list;
}

function cells(line) {
  return line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
}

function takeTable(lines) {
  const head = element("tr", cells(lines.shift()).map((cell) => element("th", inline(cell), { scope: "col" })));
  lines.shift();
  const rows = [];
  while (lines.length && lines[0].includes("|")) {
    rows.push(element("tr", cells(lines.shift()).map((cell) => element("td", inline(cell)))));
  }
  const table = element("table", [element("thead", [head]), element("tbody", rows)]);
  return element("div", [table], { class: "table", tabindex: "0" });
}

function takeParagraph(lines) {
  const body = [lines.shift()];
  while (lines.length && lines[0].trim() && !startsBlock(lines)) body.push(lines.shift());
  return paragraph(body);
}

function startsBlock(lines) {
  return /^\s*(#{1,6}\s|>)/.test(lines[0]) || BULLET.test(lines[0]) || FENCE.test(lines[0]) || (lines.length > 1 && TABLE_RULE.test(lines[1]) && lines[0].includes("|"));
}

function takeBlock(lines) {
  const [line] = lines;
  const fence = FENCE.exec(line);
  if (fence) return takeFence(lines, fence[1]);
  const heading = /^\s*(#{1,6})\s+(.*?)\s*#*$/.exec(line);
  if (heading) {
    lines.shift();
    return element(`h${Math.min(6, heading[1].length + 2)}`, inline(heading[2]));
  }
  if (/^\s*([-*_])\s*(\1\s*){2,}$/.test(line)) {
    lines.shift();
    return document.createElement("hr");
  }
  if (/^\s*>/.test(line)) return takeQuote(lines);
  if (lines.length > 1 && line.includes("|") && TABLE_RULE.test(lines[1])) return takeTable(lines);
  if (BULLET.test(line)) return takeList(lines);
  return takeParagraph(lines);
}

let depth = 0; // of the blocks that are open

/** Nodes of whole lines. Every step takes at least one line, so that it ends on any input. */
function blocks(lines) {
  if (depth === DEEPEST) return [paragraph(lines)];
  const nodes = [];
  depth += 1;
  while (lines.length) {
    if (lines[0].trim()) nodes.push(takeBlock(lines));
    else lines.shift();
  }
  depth -= 1;
  return nodes;
}

/** The nodes of a whole message. An unfinished one (an open fence, half a table) is shown as far as it goes. */
export function markdown(text) {
  return blocks(text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n"));
}
