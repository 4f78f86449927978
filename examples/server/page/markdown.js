// What models write is Markdown as a rule. This makes elements of it, by hand and from text nodes alone: markup in an answer stays
// text, and links lead to http and https only. Understood: paragraphs, headings, lists in lists, quotations, rules, tables, fenced
// code, `code`, **strong**, *emphasis*, ~~struck out~~ and links. Everything else is shown as it is written.

import { make } from "./dom.js";

const inline_kinds = [
  [/^(`+)(?!`)([\s\S]*?[^`])\1(?!`)/, (m) => make("code", {}, m[2].replace(/^ (.*\S.*) $/, "$1"))],
  [/^\*\*(?=[^\s*])([\s\S]*?\S)\*\*(?!\*)/, (m) => make("strong", {}, ...inline(m[1]))],
  [/^__(?=[^\s_])([\s\S]*?\S)__(?!\w)/, (m) => make("strong", {}, ...inline(m[1])), true],
  [/^\*(?![\s*])([^*]*?[^\s*])\*(?!\*)/, (m) => make("em", {}, ...inline(m[1]))],
  [/^_(?![\s_])([^_]*?[^\s_])_(?!\w)/, (m) => make("em", {}, ...inline(m[1])), true],
  [/^~~(?=\S)([\s\S]*?\S)~~/, (m) => make("del", {}, ...inline(m[1]))],
  [/^\[([^\]\n]+)\]\((https?:\/\/[^\s()]+(?:\([^\s()]*\)[^\s()]*)*)\)/, (m) => link(m[2], inline(m[1]))],
  [/^https?:\/\/[^\s<>"'`*]*[^\s<>"'`*.,:;!?)\]]/, (m) => link(m[0], [m[0]]), true],
];

function link(address, children) {
  return make("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

/* A line's parts. Kinds marked true begin where a word does. */
function inline(text) {
  const parts = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const inside = /[\p{L}\p{N}_]/u.test(text[at - 1] ?? " ");
    let found = null, made = null;
    if (text[at] === "\\" && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) {
      plain += text[at + 1];
      at += 2;
      continue;
    }
    if (/[`*_~[h]/.test(text[at])) {
      const rest = text.slice(at, at + 4000);
      for (const [pattern, of, starts_word] of inline_kinds) {
        if (starts_word && inside) continue;
        found = pattern.exec(rest);
        if (found) { made = of(found); break; }
      }
    }
    if (made) {
      if (plain) parts.push(plain);
      plain = "";
      parts.push(made);
      at += found[0].length;
    } else if (text[at] === "`" || text[at] === "*" || text[at] === "_") {  // a run that begins nothing is text as a whole
      const run = /^(.)\1*/.exec(text.slice(at))[0];
      plain += run;
      at += run.length;
    } else {
      plain += text[at++];
    }
  }
  if (plain) parts.push(plain);
  return parts;
}

const fence = /^ {0,3}(```+|~~~+)\s*([\w+#.-]*)[^`]*$/;
const item = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const heading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const rule = /^ {0,3}([-*_])\s*(?:\1\s*){2,}$/;
const quote = /^ {0,3}> ?(.*)$/;
const divider = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const depth_limit = 8;  // of lists and quotations in each other

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
const begins_block = (line) => [fence, item, heading, rule, quote].some((kind) => kind.test(line));

function codeBlock(lines, at, out) {
  const [, mark, language] = fence.exec(lines[at]);
  const body = [];
  for (++at; at < lines.length && !(lines[at].trim().startsWith(mark) && /^[`~]+$/.test(lines[at].trim())); ++at) body.push(lines[at]);
  out.push(make("pre", { tabIndex: 0 }, make("code", language ? { title: language } : {}, body.join("\n"))));
  return at + 1;
}

function list(lines, at, out, depth) {
  const [, indent, first] = item.exec(lines[at]);
  const ordered = /\d/.test(first);
  const box = make(ordered ? "ol" : "ul", ordered ? { start: parseInt(first, 10) } : {});
  while (at < lines.length) {
    const found = item.exec(lines[at]);
    if (!found || found[1].length > indent.length + 1 || /\d/.test(found[2]) !== ordered || found[1].length < indent.length || rule.test(lines[at])) break;
    const room = found[0].length - found[3].length, inner = [found[3]];
    for (++at; at < lines.length; ++at) {
      const line = lines[at], deep = line.length - line.trimStart().length;
      if (line.trim() === "") {  // belongs to the item if what follows is indented
        const next = lines[at + 1];
        if (next === undefined || next.length - next.trimStart().length <= indent.length || next.trim() === "") break;
        inner.push("");
      } else if (deep > indent.length + 1 || (deep > indent.length && item.test(line))) {
        inner.push(line.slice(Math.min(deep, room)));
      } else if (!begins_block(line) && lines[at - 1].trim() !== "") {
        inner.push(line);
      } else {
        break;
      }
    }
    const parts = blocks(inner, depth + 1);
    // A single paragraph needs no box of its own.
    const tight = parts.filter((part) => part.nodeName === "P").length === 1 && parts[0].nodeName === "P";
    box.append(make("li", {}, ...(tight ? [...parts[0].childNodes, ...parts.slice(1)] : parts)));
    while (at + 1 < lines.length && lines[at].trim() === "" && item.test(lines[at + 1])) ++at;
  }
  out.push(box);
  return at;
}

function table(lines, at, out) {
  const head = cells(lines[at]);
  const body = [];
  for (at += 2; at < lines.length && lines[at].includes("|") && lines[at].trim() !== ""; ++at) body.push(cells(lines[at]));
  const row = (name, values) => make("tr", {}, ...head.map((_, i) => make(name, {}, ...inline(values[i] ?? ""))));
  out.push(make("div", { className: "wide" }, make("table", {}, make("thead", {}, row("th", head)),
    make("tbody", {}, ...body.map((values) => row("td", values))))));
  return at;
}

function quotation(lines, at, out, depth) {
  const inner = [];
  for (; at < lines.length && quote.test(lines[at]); ++at) inner.push(quote.exec(lines[at])[1]);
  out.push(make("blockquote", {}, ...blocks(inner, depth + 1)));
  return at;
}

function paragraph(lines, at, out) {
  const text = [lines[at]];
  for (++at; at < lines.length && lines[at].trim() !== "" && !begins_block(lines[at]); ++at) text.push(lines[at]);
  const parts = text.map((line) => inline(line.trim()));
  out.push(make("p", {}, ...parts.flatMap((part, i) => (i ? [make("br"), ...part] : part))));
  return at;
}

function blocks(lines, depth) {
  const out = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at];
    if (line.trim() === "") ++at;
    else if (fence.test(line)) at = codeBlock(lines, at, out);
    else if (heading.test(line)) {
      const [, marks, text] = heading.exec(line);
      out.push(make(`h${Math.min(6, marks.length + 2)}`, {}, ...inline(text)));  // below the page's own
      ++at;
    } else if (rule.test(line)) {
      out.push(make("hr"));
      ++at;
    } else if (depth < depth_limit && quote.test(line)) at = quotation(lines, at, out, depth);
    else if (depth < depth_limit && item.test(line)) at = list(lines, at, out, depth);
    else if (line.includes("|") && divider.test(lines[at + 1] ?? "") && (lines[at + 1] ?? "").includes("|")) at = table(lines, at, out);
    else at = paragraph(lines, at, out);
  }
  return out;
}

/* Elements for a text, which may not have ended yet. */
export const markdown = (text) => blocks(text.replaceAll("\t", "    ").split("\n"), 0);
