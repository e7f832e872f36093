// Questions that found little in an index: what the wiki lacks, or says in other words.

import * as api from "./api.js";
import { action, el, many, paged, sure, time } from "./dom.js";

const FOUND = {
  nothing: "Nothing was found.",
  low_confidence: "Telling words are missing in all that was found.",
  unknown_words: "Words of it stand in no page.",
};

/// The list of one index; `again(question)` asks one anew.
export function list(index, again) {
  const head = el("p", { class: "dim" });
  const [clear, slot] = action("Forget all", { class: "small danger", hidden: true, "aria-label": "Forget all questions" }, async () => {
    if (!(await sure("Forget these questions?", `All questions that found little in “${index.name}” go.`, "Forget all"))) return;
    await api.forgetQuestions(index.id);
    await questions.restart();
  });
  const questions = paged(
    async (cursor) => {
      const found = await api.questions(index.id, { limit: 20, cursor });
      head.textContent = found.kept_days
        ? `Kept for ${many(found.kept_days, "day")} after they were last asked, without who asked.`
        : "None are kept. QUESTIONS_KEPT_DAYS says for how many days they are: the words of a question are personal data, so tell those who ask first.";
      clear.hidden = !found.items.length;
      return found;
    },
    (one) => row(index, one, again),
    { empty: "No question that found little is kept.", label: "Questions that found little", className: "rows asked" });
  questions.restart();
  return el("section", { class: "asked-section", "aria-labelledby": "asked-title" },
    el("div", { class: "toolbar" }, el("h2", { id: "asked-title" }, "Questions that found little"), el("span", { class: "gap" }), clear),
    slot, head, questions.root);
}

function row(index, one, again) {
  const [forget, slot] = action("Forget", { class: "small", "aria-label": `Forget: ${one.question}` }, async () => {
    await api.forgetQuestion(index.id, one.id);
    item.remove();
  });
  const words = one.unknown_words.length ? ` In no page: ${one.unknown_words.join(", ")}.` : "";
  const item = el("li", {},
    el("div", {}, el("button", { type: "button", class: "small", "aria-label": `Ask again: ${one.question}`, onclick: () => again(one.question) }, "Ask"), " ", one.question),
    el("div", { class: "dim" }, `${many(one.times, "time")}, last `, time(one.last_asked_at)),
    el("div", { class: "reason" }, `${FOUND[one.found] || one.found}${words} `, forget, slot));
  return item;
}
