// Ask as an agent does: what the model gets, word by word, beside the hits for people.

import * as api from "./api.js";
import { list as missed } from "./asked.js";
import * as live from "./live.js";
import * as mcp from "./mcp.js";
import { attempt, complain, copyButton, count, el, errorSlot, facts, field, isAdministrator, link, many, time } from "./dom.js";
import { rendered } from "./markdown.js";
import { amend } from "./router.js";
import { isPerUser } from "./words.js";

const MOST = 50;

export function show(root, _, query) {
  const words = el("input", { type: "search", value: query.q || "", maxlength: 4000, autocomplete: "off", placeholder: "Ask what your agents would ask…", "aria-label": "Question or keywords" });
  const agent = el("select", { onchange: () => (offerMissed(), offerPerson()) });
  const space = el("input", { value: query.space || "", autocomplete: "off", spellcheck: "false", placeholder: "ENG" });
  const under = el("input", { value: query.under || "", autocomplete: "off", spellcheck: "false", placeholder: "98312 or a title" });
  const label = el("input", { value: query.label || "", autocomplete: "off", spellcheck: "false", placeholder: "runbook" });
  const after = el("input", { type: "date", value: query.after || "" });
  const limit = el("input", { type: "number", min: 1, max: MOST, value: query.k || "8", inputmode: "numeric" });
  const person = el("input", { type: "email", value: query.as || "", autocomplete: "off", spellcheck: "false", placeholder: "ann@example.org" });
  const personField = field("As", person, { hint: "An index that answers per person shows what this one may read; without an address, nothing." });
  const noPerson = el("p", { class: "hint" }, "The index answers each person, by the address that the chat names. Your key names nobody, so nothing is found here.");
  const submit = el("button", { class: "primary", type: "submit" }, "Ask");
  const slot = errorSlot();
  const results = el("div", { class: "answers", "aria-live": "polite" });
  const form = el("form", { class: "card question-form", role: "search", novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    attempt(submit, slot, ask);
  } },
    el("div", { class: "row" }, words, submit),
    el("div", { class: "columns" },
      field("Index", agent),
      field("Space", space, { name: "filters.space" }),
      field("Below the page", under, { name: "filters.under" }),
      field("Label", label, { name: "filters.label" }),
      field("Updated after", after, { name: "filters.updated_after" }),
      field("Hits", limit, { name: "top_k" }),
      personField),
    noPerson,
    errorSlot({ "data-for": "query" }),
    slot);
  const few = el("div");
  root.append(el("h1", {}, "Ask as an agent does"), form, results, few);

  /// Who asks matters to the indexes that answer per person, and only an administrator asks as another.
  function offerPerson() {
    const matters = live.all().some((index) => isPerUser(index) && (!agent.value || index.agent_id === agent.value));
    personField.hidden = !matters || !isAdministrator();
    noPerson.hidden = !matters || isAdministrator();
  }
  function offer() {
    const indexes = live.all().sort((a, b) => a.name.localeCompare(b.name));
    const signature = indexes.map((index) => `${index.agent_id} ${index.name} ${index.access}`).join("\n");
    if (agent.dataset.of === signature) return;
    const chosen = agent.dataset.of === undefined ? query.agent : agent.value;
    agent.dataset.of = signature;
    agent.replaceChildren(...(indexes.length === 1 ? [] : [el("option", { value: "" }, "All indexes")]), ...indexes.map((index) => el("option", { value: index.agent_id }, index.name)));
    if (indexes.some((index) => index.agent_id === chosen)) agent.value = chosen;
    offerMissed();
    offerPerson();
  }
  /// Beside the one index that is chosen; of all at once nobody can say what they lack.
  function offerMissed() {
    const chosen = isAdministrator() && live.all().find((index) => index.agent_id === agent.value);
    few.replaceChildren(...(chosen ? [missed(chosen, (question) => {
      words.value = question;
      submit.click();
      words.focus();
    })] : []));
  }
  offer();

  let turn = 0;
  async function ask() {
    complain(form, null);
    const text = words.value.trim();
    const asked = { q: text, agent: agent.value, space: space.value.trim(), under: under.value.trim(), label: label.value.trim(), after: after.value, k: limit.value === "8" ? "" : limit.value, as: personField.hidden ? "" : person.value.trim() };
    amend(asked);
    if (!text) {
      results.replaceChildren();
      words.focus();
      return;
    }
    const mine = ++turn;
    const hits = Number(limit.value) || undefined;
    results.setAttribute("aria-busy", "true");
    const filters = { space: asked.space || undefined, under: asked.under || undefined, label: asked.label || undefined, updated_after: asked.after || undefined };
    const agents = asked.agent ? [asked.agent] : live.all().map((index) => index.agent_id);
    const began = performance.now();
    try {
      const [model, ...answers] = await Promise.all([
        mcp.call(asked.agent, "search_confluence", { query: text, limit: hits && Math.min(hits, MOST), space: asked.space, under: asked.under, label: asked.label, updated_after: asked.after }, asked.as),
        ...agents.map((one) => api.ask(one, { query: text, top_k: hits, filters }, asked.as)),
      ]);
      if (mine !== turn) return;
      results.replaceChildren(...answered(asked, model, answers, performance.now() - began));
    } catch (error) {
      if (mine !== turn) return;
      results.replaceChildren();
      if (!complain(form, error)) throw error;
    } finally {
      if (mine === turn) results.removeAttribute("aria-busy");
    }
  }
  if (query.q) submit.click();
  return { live: offer, at: () => true };
}

function answered(asked, model, answers, took) {
  const hits = fuse(answers).slice(0, Number(asked.k) || 8);
  const about = el("h2", { id: "model-title" }, "search_confluence");
  const text = el("pre", { class: "raw model", tabindex: "0", role: "group", "aria-labelledby": "model-title" }, model.text);
  const size = el("span", { class: "dim" });
  const slot = errorSlot();
  const say = (name, { text: said, failed }) => {
    about.textContent = name;
    text.textContent = said;
    size.textContent = `${many(new Blob([said]).size, "byte")}${failed ? ", told as an error" : ""}`;
  };
  say("search_confluence", model);
  const back = el("button", { type: "button", class: "small", hidden: true, onclick: () => {
    say("search_confluence", model);
    back.hidden = true;
  } }, "Back to the search");
  const read = (hit) => async () => {
    const said = await mcp.call(asked.agent, "get_page", { page_id: hit.page.id }, asked.as);
    say(`get_page ${hit.page.id}`, said);
    back.hidden = false;
    about.scrollIntoView({ block: "nearest" });
  };
  return [
    told(answers, hits.length, took),
    el("div", { class: "pair" },
      el("section", { "aria-label": "What the model gets" },
        el("p", { class: "dim" }, "What the model gets"),
        el("div", { class: "toolbar" }, about, el("span", { class: "gap" }), back, copyButton(() => text.textContent), size),
        slot, text),
      el("section", { "aria-labelledby": "hits-title" },
        el("p", { class: "dim" }, "For people"),
        el("h2", { id: "hits-title" }, many(hits.length, "hit")),
        el("ol", { class: "hits" }, ...hits.map((hit) => block(hit, asked.q, read(hit), slot))))),
  ];
}

const SURE = { none: "nothing was found", low: "low: telling words are missing, likely something else was found", unknown: "the store does not say", medium: "medium: some telling words are missing", high: "high: nearly all of the question stands together" };

/// How well the question was met.
function told(answers, hits, took) {
  const oldest = answers.map((answer) => answer.as_of).filter(Boolean).sort()[0];
  const ranks = ["none", "low", "unknown", "medium", "high"];
  const best = answers.map((answer) => answer.diagnostics).sort((a, b) => ranks.indexOf(b.confidence) - ranks.indexOf(a.confidence))[0];
  const unknown = best?.unknown_words.map(({ word, searched_for: instead, closest }) =>
    instead ? `“${word}” (searched for “${instead}”)` : closest.length ? `“${word}” (close: ${closest.join(", ")})` : `“${word}”`) || [];
  const sources = { index: "the index", live: "Confluence's own search", both: "the index and Confluence's own search" };
  return el("div", { class: "card" }, facts(
    ["Answered in", `${Math.max(1, Math.round(took))} ms`, ` from ${[...new Set(answers.map((answer) => sources[answer.source]))].join(", ")}`],
    ["As of", oldest ? time(oldest) : "never synced", answers.some((answer) => answer.stale) ? " (overdue)" : ""],
    best && ["Confidence", SURE[best.confidence] || best.confidence],
    best?.candidates != null && ["Candidates", many(best.candidates, "passage")],
    best?.best_score != null && hits > 0 && ["Best score", best.best_score.toFixed(3)],
    unknown.length > 0 && ["In no page", unknown.join(", ")],
    best?.missing_words.length > 0 && ["Not in the best hit", best.missing_words.join(", ")],
    best?.emptied_by.length > 0 && ["Emptied by", `the filter ${best.emptied_by.join(", ")}: without it there are hits`],
    best?.languages.length > 0 && ["Languages", best.languages.join(", ")]));
}

/// Answers of several indexes in one list, by their places.
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

function block({ text, page, score }, words, read, slot) {
  const title = page.section && page.section !== page.title ? `${page.title} › ${page.section}` : page.title;
  const url = page.anchor ? `${page.url.split("#")[0]}#${page.anchor}` : page.url;
  const button = el("button", { type: "button", class: "small", "aria-label": `get_page of “${page.title}”`, onclick: () => attempt(button, slot, read) }, "get_page");
  return el("li", { class: "card hit" },
    el("h3", {}, link(title, url)),
    el("p", { class: "dim meta" }, [page.space_key, ...page.breadcrumb].join(" › "), ` · version ${page.version} · `, time(page.last_modified), page.labels.length ? ` · ${page.labels.join(", ")}` : ""),
    el("div", { class: "passage rendered", tabindex: "0", role: "group", "aria-label": `Passage of “${page.title}”` }, ...mark(rendered(text, 4), words)),
    el("div", { class: "toolbar" }, el("span", { class: "dim" }, `score ${count(Math.round(score * 1000) / 1000)}`), el("span", { class: "gap" }), button));
}

/// The words of the question stand out in what is shown.
function mark(elements, words) {
  const stems = [...new Set(words.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) || [])]
    .map((word) => word.slice(0, Math.max(3, word.length - 2)))
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!stems.length) return elements;
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${stems.join("|")})[\\p{L}\\p{N}]*`, "giu");
  for (const element of elements) {
    const texts = [];
    const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) texts.push(walk.currentNode);
    for (const node of texts) {
      const parts = [];
      let from = 0;
      for (const match of node.data.matchAll(pattern)) {
        parts.push(node.data.slice(from, match.index), el("mark", {}, match[0]));
        from = match.index + match[0].length;
      }
      if (parts.length) node.replaceWith(...parts, node.data.slice(from));
    }
  }
  return elements;
}
