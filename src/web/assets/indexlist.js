// Every index in a list that holds a hundred: filtered, sorted, searched.

import { count, el, many, replace, time } from "./dom.js";
import { ofIndex } from "./router.js";
import { indexBadge, isOpen, storeOf } from "./words.js";

const SORTS = {
  name: ["Name", (a, b) => a.name.localeCompare(b.name)],
  trouble: ["Trouble first", (a, b) => urgency(a) - urgency(b) || a.name.localeCompare(b.name)],
  pages: ["Most pages", (a, b) => b.document_count - a.document_count],
  synced: ["Longest without a sync", (a, b) => (a.as_of || "").localeCompare(b.as_of || "")],
};
const FILTERS = {
  all: ["All", () => true],
  trouble: ["In trouble", (index) => TROUBLE.includes(index.status)],
  busy: ["Syncing", (index) => isOpen(index.last_run)],
  paused: ["Paused", (index) => !index.enabled],
};

const TROUBLE = ["needs_confirmation", "failed", "degraded"];
const urgency = (index) => (TROUBLE.includes(index.status) ? TROUBLE.indexOf(index.status) : TROUBLE.length);

/// Fewer need no tools.
const FEW = 5;

function chooser(label, choices, value, onchange) {
  const select = el("select", { "aria-label": label, onchange }, ...Object.entries(choices).map(([key, [words]]) => el("option", { value: key }, words)));
  select.value = value;
  return select;
}

export function indexList() {
  const rows = el("ul", { class: "rows indexes", "aria-labelledby": "indexes-title" });
  const none = el("p", { class: "empty", hidden: true });
  let last = [];
  const redraw = () => draw(last);
  const search = el("input", { type: "search", placeholder: "Search by name, agent or space…", "aria-label": "Search indexes", oninput: redraw });
  const filter = chooser("Filter", FILTERS, "all", redraw);
  const sort = chooser("Sort", SORTS, "name", redraw);
  const told = el("span", { class: "dim", role: "status" });
  const tools = el("div", { class: "toolbar" }, search, filter, sort, told);

  function draw(indexes) {
    last = indexes;
    tools.hidden = indexes.length <= FEW && !search.value && filter.value === "all";
    const words = search.value.trim().toLowerCase();
    const text = (index) => [index.name, index.agent_id, ...index.spaces.flatMap((space) => [space.key, space.name || ""])].join(" ").toLowerCase();
    const found = indexes
      .filter((index) => FILTERS[filter.value][1](index) && (!words || text(index).includes(words)))
      .sort(SORTS[sort.value][1]);
    told.textContent = found.length === indexes.length ? "" : `${count(found.length)} of ${count(indexes.length)}`;
    replace(rows, ...found.map(row));
    rows.hidden = !found.length;
    none.hidden = found.length > 0;
    none.textContent = indexes.length ? "No index fits." : "No index yet. Create one, and its first sync starts at once.";
  }
  return { root: el("div", {}, tools, rows, none), draw };
}

function row(index) {
  const run = index.last_run;
  const busy = isOpen(run);
  const when = index.as_of ? ["synced ", time(index.as_of)] : ["never synced"];
  const next = index.enabled && index.next_run_at && !busy ? ["next ", time(index.next_run_at)] : [];
  return el("li", {},
    el("div", { class: "who" }, el("a", { class: "name", href: ofIndex(index.id) }, index.name), el("span", { class: "dim" }, "agent ", el("code", {}, index.agent_id))),
    el("div", { class: "how" }, indexBadge(index), busy && run.counts.seen > 0 && el("span", { class: "dim" }, ` ${many(run.counts.seen, "page")} listed`)),
    el("div", {}, many(index.document_count, "page"), " ", el("span", { class: "dim" }, `in ${many(index.spaces.length, "space")}`)),
    el("div", { class: "dim" }, ...when, next.length ? " · " : "", ...next),
    el("div", { class: "dim where" }, storeOf(index)));
}
