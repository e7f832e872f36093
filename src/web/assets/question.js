// The mass-deletion guard's question: which pages, why, and who decided what when. Both answers have a way back.

import * as api from "./api.js";
import * as live from "./live.js";
import { action, count, el, facts, link, many, moment, sure } from "./dom.js";
import { ofIndex } from "./router.js";
import { pageBadge } from "./words.js";

export function show(root, index) {
  let seen = null;
  const look = async () => {
    const now = live.get(index.id);
    seen = mark(now);
    try {
      const question = await api.question(index.id);
      root.replaceChildren(...(question ? asked(index, question, look) : none(index, now)));
    } catch (error) {
      root.replaceChildren(el("p", { class: "error", role: "alert" }, error.message));
    }
  };
  const mark = (one) => `${one?.status} ${one?.status_reason} ${one?.last_run?.id} ${one?.last_run?.status}`;
  look();
  return {
    live: (now) => {
      if (mark(now) !== seen) look();
    },
    at: (rest) => rest.length === 0,
  };
}

function none(index) {
  return [
    el("p", {}, "Nothing waits for an answer."),
    el("p", { class: "dim" }, "When unusually many pages disappear at once in Confluence, nothing is removed before you have answered here. New and edited pages go on meanwhile."),
    el("p", { class: "dim" }, "What runs removed stands in the ", el("a", { href: ofIndex(index.id, "runs") }, "history of runs"), "; a page that is restored in Confluence comes back with the next sync."),
  ];
}

function asked(index, question, look) {
  const pages = many(question.page_count, "page");
  const decide = (decision) => async () => {
    const run = await api.confirm(question.run_id, decision);
    if (decision === "accept") live.applyRun(run);
    await look();
  };
  const accept = async () => {
    const text = `${pages} leave the index with the sync that starts now. Until it has come to them you can take this back.`;
    if (await sure(`Let ${pages} go?`, text, "Let them go")) await decide("accept")();
  };
  const [go, goSlot] = action(question.state === "refused" ? "Let them go after all…" : "Let them go…", { class: "danger" }, accept);
  const [keep, keepSlot] = action(question.state === "accepted" ? "Keep them after all" : "Keep them", {}, decide("refuse"));
  const [again, againSlot] = action("Ask anew", {}, async () => {
    live.applyRun(await api.sync(index.id, { full: true }));
  });
  const buttons = {
    waiting: [keep, go],
    accepted: [keep],
    refused: [go, again],
  }[question.state];
  const title = {
    waiting: `Shall ${pages} leave the index?`,
    accepted: `${pages} may go`,
    refused: `${pages} stay`,
  }[question.state];
  const told = {
    waiting: "They disappeared at the source. Nothing of them is removed until you answer; new and edited pages go on.",
    accepted: "The next sweep removes them. Until it has come to them, you can still keep them; a page that is restored in Confluence comes back with the next sync in any case.",
    refused: "Answers quote those that are not restricted, until you let them go or the question is asked anew. A full check asks again, about what is gone by then.",
  }[question.state];
  return [
    el("h2", {}, title),
    el("p", {}, told),
    facts(
      question.reason && ["Why it was asked", question.reason],
      question.asked_at && ["Asked", moment(question.asked_at), " by ", el("a", { href: ofIndex(index.id, "runs", question.run_id) }, "this run")],
      question.answered_at && ["Answered", moment(question.answered_at), question.answered_by ? ` by ${question.answered_by}` : ""]),
    el("div", { class: "actions" }, ...buttons), goSlot, keepSlot, againSlot,
    el("h3", {}, "The pages"),
    question.page_count > question.pages.length ? el("p", { class: "hint" }, `The first ${count(question.pages.length)} of ${count(question.page_count)}.`) : "",
    el("ul", { class: "rows changes", "aria-label": "Pages that were asked about" }, ...question.pages.map((page) =>
      el("li", {},
        el("div", {}, el("a", { class: "name", href: ofIndex(index.id, "pages", page.id) }, page.title), " ", el("span", { class: "dim" }, "(", link("Confluence", page.url), ")")),
        el("div", {}, pageBadge(page.state)),
        el("div", { class: "dim" }, [page.space_key, ...page.breadcrumb].join(" › ")),
        page.reason ? el("div", { class: "reason" }, page.reason) : null))),
  ];
}
