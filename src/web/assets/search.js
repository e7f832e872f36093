// The search box: what an agent would find, from one index or from all of them fused by rank.

import * as api from "./api.js";
import { $, el, link, time } from "./dom.js";

const TOP = 6;
let indexes = [];
let asked = 0;

/// Keeps the choice of indexes current, without touching what is chosen.
export function offer(list) {
  const select = $("#where");
  const signature = (items) => items.map((index) => `${index.agent_id} ${index.name}`).join("\n");
  if (signature(list) === signature(indexes) && select.options.length) return;
  indexes = list;
  const chosen = select.value;
  const options = list.map((index) => el("option", { value: index.agent_id }, index.name));
  if (list.length !== 1) options.unshift(el("option", { value: "" }, "All indexes"));
  select.replaceChildren(...options);
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
}

export function start() {
  $("#search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    ask($("#query").value.trim(), $("#where").value);
  });
}

async function ask(words, agent) {
  const results = $("#results");
  if (!words) {
    results.replaceChildren();
    return;
  }
  const turn = ++asked;
  results.setAttribute("aria-busy", "true");
  const agents = agent ? [agent] : indexes.map((index) => index.agent_id);
  const began = performance.now();
  try {
    const answers = await Promise.all(agents.map((one) => api.query(one, words, TOP)));
    if (turn === asked) show(words, answers, performance.now() - began);
  } catch (error) {
    if (turn === asked) results.replaceChildren(el("p", { class: "error" }, error.message));
  } finally {
    if (turn === asked) results.removeAttribute("aria-busy");
  }
}

function fuse(answers) {
  if (answers.length === 1) return answers[0].results;
  const places = new Map();
  for (const answer of answers) {
    answer.results.forEach((result, rank) => {
      const key = `${result.page.id}\n${result.text}`;
      const known = places.get(key) || { result, score: 0 };
      known.score += 1 / (61 + rank);
      places.set(key, known);
    });
  }
  return [...places.values()].sort((a, b) => b.score - a.score).map((place) => place.result);
}

function show(words, answers, took) {
  const hits = fuse(answers).slice(0, TOP);
  const oldest = answers.map((answer) => answer.as_of).filter(Boolean).sort()[0];
  const live = answers.some((answer) => answer.source !== "index");
  const note = el("p", { class: "dim note" },
    `${hits.length || "No"} ${hits.length === 1 ? "passage" : "passages"} in ${Math.max(1, Math.round(took))} ms`,
    ...(oldest ? [" · index as of ", time(oldest)] : []),
    live ? " · with Confluence's own search" : "",
    answers.some((answer) => answer.stale) ? " · overdue" : "",
  );
  const list = el("ol", { class: "hits" }, ...hits.map((hit) => block(hit, words)));
  $("#results").replaceChildren(note, list);
}

function block({ text, page }, words) {
  const title = page.section && page.section !== page.title ? `${page.title} › ${page.section}` : page.title;
  const url = page.anchor ? `${page.url.split("#")[0]}#${page.anchor}` : page.url;
  const body = el("div", { class: "passage" }, ...marked(readable(text, page.section), words));
  const meta = el("p", { class: "dim meta" },
    [page.space_key, ...page.breadcrumb].join(" › "), " · version ", String(page.version), " · ", time(page.last_modified));
  return el("li", { class: "card hit" }, el("h3", {}, link(title, url)), meta, body);
}

/// Markdown with its noisiest marks taken away, and without the heading that already stands above; it is shown as text.
function readable(text, section) {
  const lines = text.trim().split("\n");
  if (section && lines[0].replace(/^#+\s*/, "").trim() === section) lines.shift();
  return lines
    .filter((line) => !/^\s*(```|~~~)/.test(line))
    .join("\n")
    .replace(/^#{1,6}\s+/gm, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\*\*|__|`/g, "")
    .replace(/\\([\\`*_{}[\]()#+.!|<>-])/g, "$1")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function marked(text, words) {
  const stems = [...new Set(words.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) || [])]
    .map((word) => word.slice(0, Math.max(3, word.length - 2)))
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!stems.length) return [text];
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${stems.join("|")})[\\p{L}\\p{N}]*`, "giu");
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    parts.push(text.slice(from, match.index), el("mark", {}, match[0]));
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}
