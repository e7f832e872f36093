// Markdown as elements, for reading: headings, lists, tables, quotations, code, links. Each piece of text becomes a text node, and
// nothing of it an element, an attribute or an address that was not checked; what is not known stays as it is written.

import { el, link } from "./dom.js";

/// The blocks of a text. `top`: the highest level that a heading of it may have, below the headings of the view.
export function rendered(markdown, top = 3) {
  return blocks(markdown.replace(/\r\n?/g, "\n").split("\n"), 0, { top, last: top - 1 });
}

/// The level of a heading: as deep as it is written, and no level left out.
function level(outline, written) {
  const wanted = Math.min(6, outline.top - 1 + written);
  outline.last = Math.max(outline.top, Math.min(wanted, outline.last + 1));
  return outline.last;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+-]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(\s+)(.*)$/;
const RULE = /^ {0,3}([-*_])( *\1){2,}\s*$/;
const DELIMITER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
/// Deeper nesting is shown as text.
const DEEPEST = 12;

function blocks(lines, depth, outline) {
  const out = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (!line.trim()) {
      at += 1;
      continue;
    }
    const fence = line.match(FENCE);
    const heading = line.match(HEADING);
    if (fence) {
      const end = new RegExp(`^ {0,3}${fence[1][0] === "~" ? "~" : "\x60"}{${fence[1].length},}\\s*$`);
      let last = at + 1;
      while (last < lines.length && !end.test(lines[last])) last += 1;
      out.push(el("pre", { tabindex: "0", role: "group", "aria-label": fence[2] ? `Code, ${fence[2]}` : "Code" }, lines.slice(at + 1, last).join("\n")));
      at = last + 1;
    } else if (heading) {
      out.push(el(`h${level(outline, heading[1].length)}`, {}, ...inline(heading[2])));
      at += 1;
    } else if (RULE.test(line)) {
      out.push(el("hr"));
      at += 1;
    } else if (/^ {0,3}>/.test(line) && depth < DEEPEST) {
      let last = at;
      while (last < lines.length && /^ {0,3}>/.test(lines[last])) last += 1;
      out.push(el("blockquote", {}, ...blocks(lines.slice(at, last).map((one) => one.replace(/^ {0,3}> ?/, "")), depth + 1, outline)));
      at = last;
    } else if (ITEM.test(line) && depth < DEEPEST) {
      const [list, next] = listFrom(lines, at, depth, outline);
      out.push(list);
      at = next;
    } else if (beginsTable(lines, at)) {
      let last = at + 2;
      while (last < lines.length && lines[last].includes("|") && lines[last].trim()) last += 1;
      out.push(table(lines[at], lines.slice(at + 2, last)));
      at = last;
    } else {
      let last = at + 1;
      while (last < lines.length && lines[last].trim() && !interrupts(lines, last)) last += 1;
      const text = lines.slice(at, last);
      out.push(el("p", {}, ...text.flatMap((one, n) => [...inline(one.replace(/(\\| {2,})$/, "")), n + 1 < text.length ? (/(\\| {2,})$/.test(one) ? el("br") : " ") : ""])));
      at = last;
    }
  }
  return out;
}

const beginsTable = (lines, at) => lines[at].includes("|") && DELIMITER.test(lines[at + 1] || "");

/// Whether a paragraph ends before this line.
function interrupts(lines, at) {
  const line = lines[at];
  return FENCE.test(line) || HEADING.test(line) || ITEM.test(line) || RULE.test(line) || /^ {0,3}>/.test(line) || beginsTable(lines, at);
}

function listFrom(lines, from, depth, outline) {
  const first = lines[from].match(ITEM);
  const indent = first[1].length;
  const ordered = /\d/.test(first[2]);
  const list = el(ordered ? "ol" : "ul", ordered && parseInt(first[2], 10) !== 1 ? { start: parseInt(first[2], 10) } : {});
  let at = from;
  while (at < lines.length) {
    const item = lines[at].match(ITEM);
    if (!item || item[1].length !== indent || /\d/.test(item[2]) !== ordered || RULE.test(lines[at])) break;
    const inside = indent + item[2].length + Math.min(item[3].length, 4);
    const own = [item[4]];
    let last = at + 1;
    while (last < lines.length) {
      const line = lines[last];
      const deeper = line.search(/\S/) > indent;
      if (!line.trim()) {
        // An empty line belongs to the item only when more of it follows.
        const after = lines.slice(last).findIndex((one) => one.trim());
        if (after < 0 || lines[last + after].search(/\S/) <= indent) break;
        own.push("");
      } else if (deeper) {
        own.push(line.slice(Math.min(inside, line.search(/\S/))));
      } else {
        break;
      }
      last += 1;
    }
    const task = own[0].match(/^\[([ xX])\]\s+(.*)$/);
    if (task) own[0] = `${task[1] === " " ? "☐" : "☑"} ${task[2]}`;
    const content = blocks(own, depth + 1, outline);
    // A single paragraph stands without its space.
    list.append(el("li", {}, ...content.flatMap((one, n) => (n === 0 && one.tagName === "P" ? [...one.childNodes] : [one]))));
    at = last;
    while (at < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1] || "")) at += 1;
  }
  return [list, at];
}

function cells(line) {
  const trimmed = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return trimmed.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function table(head, rows) {
  const titles = cells(head);
  return el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "Table" }, el("table", {},
    el("thead", {}, el("tr", {}, ...titles.map((cell) => el("th", { scope: "col" }, ...inline(cell))))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...cells(row).slice(0, titles.length).map((cell) => el("td", {}, ...inline(cell))))))));
}

const INLINE = /(\\[\\`*_{}[\]()#+.!|<>~-])|(`+)([\s\S]*?[^`])\2(?!`)|(!?)\[((?:\\.|[^\]\\[]|\[[^\]]*\])*)\]\(\s*<?([^\s)>]*)>?(?:\s+"[^"]*")?\s*\)|<(https?:[^\s>]+)>|(\*\*|__)(?=\S)([\s\S]*?\S)\8|(?<![\p{L}\p{N}])([*_])(?=\S)([\s\S]*?\S)\10(?![\p{L}\p{N}])|~~(?=\S)([\s\S]*?\S)~~|<br\s*\/?>/gu;

/// A longer paragraph is shown as it is written: nobody waits for a search through it.
const LONGEST = 8_000;

/// The pieces of a line.
function inline(text, depth = 0) {
  if (depth > DEEPEST || text.length > LONGEST) return [text];
  const out = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) out.push(text.slice(from, match.index));
    from = match.index + match[0].length;
    const [, escaped, ticks, code, image, label, address, plain, , strong, , light, struck] = match;
    if (escaped) out.push(escaped[1]);
    else if (ticks) out.push(el("code", {}, code.trim() || code));
    else if (label !== undefined && address !== undefined) out.push(linked(image, label, address, depth));
    else if (plain) out.push(link(plain, plain));
    else if (strong !== undefined) out.push(el("strong", {}, ...inline(strong, depth + 1)));
    else if (light !== undefined) out.push(el("em", {}, ...inline(light, depth + 1)));
    else if (struck !== undefined) out.push(el("del", {}, ...inline(struck, depth + 1)));
    else out.push(el("br"));
  }
  if (from < text.length) out.push(text.slice(from));
  return out;
}

/// A link where the address is one of the web; nothing is loaded from there, pictures neither.
function linked(image, label, address, depth) {
  const made = link("", address.replace(/\\([()])/g, "$1"));
  made.append(...(image ? [`[picture${label ? `: ${label}` : ""}]`] : inline(label, depth + 1)));
  return made;
}
