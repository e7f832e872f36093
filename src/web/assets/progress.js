// A run under way: how far each stage is, how fast, and when it is likely over.

import { paceOf } from "./live.js";
import { count, duration, el, replace } from "./dom.js";
import { KIND } from "./words.js";

const STAGES = [
  ["seen", "Listed", "named by Confluence"],
  ["fetched", "Read", "fetched and converted"],
  ["uploaded", "Sent", "accepted by the store"],
  ["searchable", "Searchable", "found by the store"],
];

const clock = new Intl.DateTimeFormat("en", { timeStyle: "short" });

/// What there is to do in each stage: all are listed; what did not change is neither read nor sent.
function goals({ seen, unchanged, skipped, failed, fetched, uploaded, searchable }) {
  const work = Math.max(seen - unchanged - skipped - failed, fetched, uploaded, searchable, 0);
  return { seen, fetched: work, uploaded: work, searchable: work };
}

export function progress() {
  const title = el("h2");
  const stages = el("ol", { class: "stages" });
  const told = el("p", { class: "dim" });
  const root = el("section", { class: "progress card", hidden: true, "aria-label": "Run under way" }, title, stages, told);
  const parts = STAGES.map(([key, name, about]) => {
    const bar = el("progress", { max: "100", value: 0, "aria-label": `${name}: ${about}` });
    const figure = el("b");
    const rate = el("span", { class: "dim" });
    stages.append(el("li", { title: about }, el("span", {}, name), bar, el("span", { class: "figure" }, figure, " ", rate)));
    return { key, bar, figure, rate };
  });

  function draw(run) {
    root.hidden = !run;
    if (!run) return;
    title.textContent = `${KIND[run.kind] || run.kind}${run.dry_run ? " (dry run)" : ""}: ${words(run)}`;
    const { counts } = run;
    const goal = goals(counts);
    for (const { key, bar, figure, rate } of parts) {
      const most = goal[key];
      if (key === "seen") {
        // Nobody knows how many there will be.
        if (counts.fetched || counts.uploaded || counts.unchanged) bar.value = 100;
        else bar.removeAttribute("value");
      } else {
        bar.value = most ? Math.min(100, Math.round((100 * counts[key]) / most)) : 0;
      }
      figure.textContent = key === "seen" ? count(counts.seen) : `${count(counts[key])} of ${count(most)}`;
      const pace = paceOf(run, key);
      rate.textContent = pace >= 0.1 ? `${pace < 10 ? pace.toFixed(1) : count(Math.round(pace))}/s` : "";
    }
    replace(told, [
      counts.unchanged && `${count(counts.unchanged)} unchanged`,
      counts.skipped && `${count(counts.skipped)} left out`,
      counts.deleted && `${count(counts.deleted)} removed`,
      counts.failed && `${count(counts.failed)} failed`,
      `${count(run.requests.confluence)} requests to Confluence, ${count(run.requests.store)} to the store`,
      run.queued && "another run follows",
    ].filter(Boolean).join(" · "));
  }
  return { root, draw };
}

function words(run) {
  if (run.status === "pending") return "waits to start";
  if (run.status === "canceling") return "stopping; what is in flight settles";
  if (run.eta_seconds) {
    const end = clock.format(new Date(Date.now() + run.eta_seconds * 1000));
    return `about ${duration(run.eta_seconds)} left, until ${end}`;
  }
  return "under way; it is not known yet for how long";
}
