// How well an index answers: questions whose right pages are known, asked every day or now, and what came of it.

import * as api from "./api.js";
import { action, attempt, complain, el, errorSlot, facts, field, many, sure, time } from "./dom.js";

const EXAMPLE = `- question: how do we roll back a release?
  pages: ["98312", "Rollback runbook"]   # ids or titles; any of them is right
  kind: runbooks                         # optional: has figures of its own
  answer: ["helm rollback"]              # optional: words of the answer
`;
/// So often it is looked whether a go has ended.
const LOOK_AGAIN = 2_000;

export function show(root, index) {
  const body = el("div");
  root.append(body);
  let timer = null;
  let left = false;

  async function look() {
    clearTimeout(timer);
    const slot = errorSlot();
    try {
      const [now, results] = await Promise.all([api.evaluation(index.id), api.evaluationResults(index.id)]);
      if (left) return;
      body.replaceChildren(...(now ? set(now, results) : unset()));
      if (now?.waiting) timer = setTimeout(look, LOOK_AGAIN);
    } catch (error) {
      slot.textContent = error.message;
      body.replaceChildren(slot);
    }
  }

  const unset = () => [
    el("p", {}, "Write down questions as your agents ask them, with the pages that answer them: the index is asked every day, and you see whether a change of settings, pages or models makes answers better or worse."),
    form({ questions: EXAMPLE, schedule: "03:00 UTC" }, "Set and evaluate now"),
  ];

  const set = (now, results) => [
    el("div", { class: "toolbar" }, el("h2", {}, "How well it answers"), el("span", { class: "gap" }), ...buttons(now)),
    last(now, results[0]),
    ...(results.length ? [history(results)] : []),
    ...(now.missed.length ? [named("Found no right page last time", now.missed)] : []),
    ...(now.unknown_pages.length ? [named("Pages that the index does not hold", now.unknown_pages)] : []),
    el("details", {}, el("summary", {}, "Questions and time"), form(now, "Replace and evaluate now")),
  ];

  function buttons(now) {
    const [run, ran] = action(now.waiting ? "Being asked…" : "Evaluate now", { class: "small" }, async () => {
      await api.runEvaluation(index.id);
      await look();
    });
    run.disabled = now.waiting;
    const [forget, forgot] = action("Delete", { class: "small danger", "aria-label": "Delete the evaluation" }, async () => {
      if (!(await sure("Delete the evaluation?", "The questions and all that came of them go.", "Delete"))) return;
      await api.deleteEvaluation(index.id);
      await look();
    });
    return [run, ran, forget, forgot];
  }

  function form(now, words) {
    const questions = el("textarea", { rows: 12, spellcheck: "false", value: now.questions });
    const schedule = el("input", { value: now.schedule || "", autocomplete: "off", spellcheck: "false", placeholder: "03:00 Europe/Berlin" });
    const submit = el("button", { class: "primary", type: "submit" }, words);
    const slot = errorSlot();
    const root = el("form", { class: "card", novalidate: true, "aria-label": "Evaluation", onsubmit: (event) => {
      event.preventDefault();
      attempt(submit, slot, async () => {
        complain(root, null);
        try {
          await api.setEvaluation(index.id, { questions: questions.value, schedule: schedule.value.trim() || null });
        } catch (error) {
          if (!complain(root, error)) throw error;
          return;
        }
        await look();
      });
    } },
    field("Questions", questions, { name: "questions", hint: "YAML, as “mcp-confluence eval” takes it: a list of “question” and “pages” (ids or titles), and perhaps “kind” and “answer”." }),
    field("Asked every day at", schedule, { name: "schedule", hint: "A time of day with its zone; empty: only when you say so." }),
    submit, slot);
    return root;
  }

  look();
  return {
    stop: () => {
      left = true;
      clearTimeout(timer);
    },
  };
}

const percent = (share) => (share === null ? "–" : `${Math.round(share * 100)} %`);
const millis = (took) => `${took < 10 ? took.toFixed(1) : Math.round(took)} ms`;

function last(now, newest) {
  return el("div", { class: "card" }, facts(
    ["Last", now.ran_at ? time(now.ran_at) : "never", now.waiting ? ", is being asked" : ""],
    ["Next", now.next_at && !now.waiting ? time(now.next_at) : now.waiting ? "now" : "when you say so"],
    now.error && ["No figures", now.error],
    newest && ["Right page first", percent(newest.all.hit_1), ` of ${many(newest.all.questions, "question")}`],
    newest && ["Among three, ten", `${percent(newest.all.hit_3)}, ${percent(newest.all.hit_10)}`],
    newest && newest.all.answer !== null && ["Answer in eight passages", percent(newest.all.answer)]));
}

function named(words, names) {
  return el("details", {}, el("summary", {}, `${words}: ${names.length}`), el("ul", {}, ...names.map((name) => el("li", {}, name))));
}

const HEAD = ["When", "Kind", "Questions", "First", "In three", "In ten", "MRR", "Answer", "p95"];

/// A line over all goes, and the figures of the newest ones, kind by kind.
function history(results) {
  const rows = results.slice(0, 10).flatMap((result) => [
    row(el("th", { scope: "row" }, time(result.at)), "all", result.all),
    ...Object.entries(result.kinds).map(([kind, figures]) => row(el("td", {}), kind, figures)),
  ]);
  return el("section", { "aria-label": "History" },
    results.length > 1 && sparkline(results),
    el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "Figures" },
      el("table", { class: "figures" },
        el("caption", { class: "sr" }, "What the last evaluations came to"),
        el("thead", {}, el("tr", {}, ...HEAD.map((words) => el("th", { scope: "col" }, words)))),
        el("tbody", {}, ...rows))));
}

function row(first, kind, figures) {
  const cells = [kind, figures.questions, percent(figures.hit_1), percent(figures.hit_3), percent(figures.hit_10), figures.mrr.toFixed(3), percent(figures.answer), millis(figures.p95_milliseconds)];
  return el("tr", {}, first, ...cells.map((cell) => el("td", {}, String(cell))));
}

const WIDTH = 300;
const HEIGHT = 48;
const EDGE = 4;

/// MRR over time, the oldest at the left.
function sparkline(results) {
  const values = results.map((result) => result.all.mrr).reverse();
  const x = (at) => EDGE + (at * (WIDTH - 2 * EDGE)) / (values.length - 1);
  const y = (value) => HEIGHT - EDGE - value * (HEIGHT - 2 * EDGE);
  const svg = made("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "sparkline", role: "img", "aria-label": `MRR of ${values.length} evaluations, from ${values[0].toFixed(3)} to ${values.at(-1).toFixed(3)}` });
  svg.append(
    made("polyline", { points: values.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }),
    made("circle", { cx: x(values.length - 1), cy: y(values.at(-1)), r: 3 }));
  return el("figure", { class: "trend" }, svg, el("figcaption", { class: "dim" }, `MRR, last ${many(values.length, "evaluation")}: ${values[0].toFixed(3)} → ${values.at(-1).toFixed(3)}`));
}

function made(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
