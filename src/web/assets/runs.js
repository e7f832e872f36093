// The history of runs, and what one of them did page by page.

import * as api from "./api.js";
import * as live from "./live.js";
import { action, count, duration, el, facts, link, many, moment, paged, replace, time } from "./dom.js";
import { progress } from "./progress.js";
import { amend, go, ofIndex } from "./router.js";
import { CHANGE, KIND, badge, isOpen, pageBadge, runBadge } from "./words.js";

export function show(root, index, [id], query) {
  return id ? oneRun(root, index, id, query) : history(root, index);
}

function history(root, index) {
  const list = paged(
    (cursor) => api.runs({ index_id: index.id, limit: 30, cursor }),
    (run) => row(index, run),
    { empty: "No run yet.", label: "Runs", className: "rows runs" });
  root.append(list.root);
  list.restart();
  let seen = JSON.stringify(live.runsOf(index.id)[0]?.status || "");
  return {
    live: () => {
      const newest = live.runsOf(index.id)[0];
      const now = JSON.stringify([newest?.id, newest?.status]);
      if (now !== seen && !root.contains(document.activeElement)) list.restart();
      seen = now;
    },
    at: (rest) => rest.length === 0,
  };
}

function did(run) {
  const { counts, plan } = run;
  if (run.dry_run) {
    return plan ? `would add ${count(plan.add)}, change ${count(plan.update)}, remove ${count(plan.remove)}` : "";
  }
  return [
    counts.uploaded && `${count(counts.uploaded)} stored`,
    counts.deleted && `${count(counts.deleted)} removed`,
    counts.unchanged && `${count(counts.unchanged)} unchanged`,
    counts.skipped && `${count(counts.skipped)} left out`,
    counts.failed && `${count(counts.failed)} failed`,
  ].filter(Boolean).join(", ") || "nothing new";
}

function took(run) {
  if (!run.started_at || !run.finished_at) return "";
  return duration((new Date(run.finished_at) - new Date(run.started_at)) / 1000);
}

function row(index, run) {
  return el("li", {},
    el("div", {}, el("a", { class: "name", href: ofIndex(index.id, "runs", run.id) }, `${KIND[run.kind] || run.kind}${run.dry_run ? ", dry run" : ""}`), " ", runBadge(run)),
    el("div", { class: "dim" }, run.started_at ? time(run.started_at) : "not begun", took(run) && ` · took ${took(run)}`),
    el("div", {}, isOpen(run) ? "" : did(run)),
    run.error ? el("div", { class: "reason" }, run.error.detail) : null);
}

function oneRun(root, index, id, query) {
  const head = el("div");
  const under = progress();
  const plan = el("div");
  const body = el("div");
  const [cancel, slot] = action("Cancel the run", {}, async () => live.applyRun(await api.cancel(id)));
  root.append(el("p", { class: "trail" }, el("a", { href: ofIndex(index.id, "runs") }, "← All runs")), head, slot, under.root, plan, body);
  let drawn = null;

  function draw(run) {
    replace(head, el("h2", {}, `${KIND[run.kind] || run.kind}${run.dry_run ? ", dry run" : ""} `, runBadge(run)),
      run.error ? el("p", { class: "reason" }, run.error.detail) : "",
      isOpen(run) ? "" : facts(
        ["Began", run.started_at ? moment(run.started_at) : "never"],
        run.finished_at && ["Took", took(run) || "no time"],
        !run.dry_run && ["Did", did(run)],
        ["Listed", many(run.counts.seen, "page")],
        ["Requests", `${count(run.requests.confluence)} to Confluence, ${count(run.requests.store)} to the store`],
        run.follow_up_run_id && ["Followed by", el("a", { href: ofIndex(index.id, "runs", run.follow_up_run_id) }, "another run")]));
    under.draw(isOpen(run) ? run : null);
    if (isOpen(run)) {
      if (!cancel.isConnected) head.after(cancel);
      cancel.disabled = run.status === "canceling";
    } else {
      cancel.remove();
    }
    if (isOpen(run) || drawn === run.status) return;
    drawn = run.status;
    if (run.dry_run && run.plan) plan.replaceChildren(...planned(index, run));
    changes(body, index, run, query);
  }
  const look = async () => {
    const known = live.run(id);
    if (known && isOpen(known)) return draw(known);
    try {
      draw(await api.run(id));
    } catch (error) {
      head.replaceChildren(el("p", { class: "error", role: "alert" }, error.message));
    }
  };
  look();
  return {
    live: () => {
      const run = live.run(id);
      if (run) draw(run);
    },
    at: (rest) => rest[0] === id,
  };
}

/// What a dry run found, and what it would cost.
function planned(index, run) {
  const { plan } = run;
  const cost = plan.cost;
  const [go_, slot] = action("Do it now", { class: "primary" }, async () => {
    const real = await api.sync(index.id, run.kind === "full" ? { full: true } : {});
    live.applyRun(real);
    go(["index", index.id, "runs", real.id]);
  });
  return [
    el("section", { class: "card plan", "aria-label": "Plan" },
      el("p", {}, el("b", {}, plan.needs_confirmation ? "It would ask you first: " : "It would "),
        `add ${many(plan.add, "page")}, store ${count(plan.update)} anew, remove ${count(plan.remove)}, hide ${count(plan.hide)}, and leave ${count(plan.unchanged)} as they are.`),
      facts(
        ["Confluence", many(plan.confluence_requests, "request")],
        ["Store", many(plan.store_requests, "request")],
        ["At the set quota", plan.minutes < 1 ? "less than a minute" : `${plan.minutes.toFixed(1)} minutes`],
        ["Cost", cost ? `${count(Math.round(cost.credits))} credits ($${cost.dollars.toFixed(2)}) of ${cost.product}, by prices of ${cost.prices_as_of}: ${cost.basis}` : "none: storing costs nothing here"]),
      el("div", { class: "actions" }, go_), slot),
  ];
}

/// What became of pages, a view for each change.
function changes(body, index, run, query) {
  const { counts, plan } = run;
  const all = run.dry_run
    ? [["added", plan?.add], ["changed", plan?.update], ["removed", plan?.remove], ["hidden", plan?.hide], ["failed", counts.failed]]
    : [["added", null], ["changed", null], ["removed", counts.deleted], ["failed", counts.failed]];
  const keys = all.map(([key]) => key);
  let chosen = keys.includes(query.change) ? query.change : "";
  const words = { added: "Added", changed: "Changed", removed: "Removed", hidden: "Hidden", failed: run.dry_run ? "Would fail" : "Could not do" };
  const list = paged(
    (cursor) => api.runPages(run.id, { change: chosen, limit: 50, cursor }),
    (page) => changed(index, page, run),
    { empty: "No page.", label: "Pages of the run", className: "rows changes" });
  const buttons = ["", ...keys].map((key) =>
    el("button", { type: "button", class: "small", "aria-pressed": String(key === chosen), onclick: (event) => {
      chosen = key;
      for (const button of buttons) button.setAttribute("aria-pressed", String(button === event.currentTarget));
      amend({ change: key });
      list.restart();
    } }, key ? words[key] : "All", key && all.find(([one]) => one === key)[1] > 0 ? ` (${count(all.find(([one]) => one === key)[1])})` : ""));
  const most = Math.max(counts.uploaded, counts.deleted, counts.failed, plan?.add || 0, plan?.update || 0, plan?.remove || 0);
  body.replaceChildren(
    el("h3", {}, run.dry_run ? "What would change" : "Page by page"),
    el("div", { class: "toolbar", role: "group", "aria-label": "Show" }, ...buttons),
    most > 1000 ? el("p", { class: "hint" }, "Of each change the first 1,000 pages are kept.") : "",
    run.kind === "move" ? el("p", { class: "hint" }, "A move changes where answers come from, not which pages there are.") : "",
    list.root);
  list.restart();
}

function changed(index, page, run) {
  const name = page.title || page.page_id;
  const there = page.state && page.state !== "removed";
  const title = there ? el("a", { class: "name", href: ofIndex(index.id, "pages", page.page_id) }, name) : page.url ? link(name, page.url) : el("span", { class: "name" }, name);
  const parts = [];
  if (page.change === "failed" && ["failed", "pending", "vanishing"].includes(page.state)) {
    const [retry, slot] = action("Try again", { class: "small", "aria-label": `Try again: ${name}` }, async () => {
      const now = await api.retry(index.id, page.page_id);
      state.replaceChildren("now ", pageBadge(now.state));
    });
    parts.push(retry, slot);
  }
  const state = el("span", { class: "dim" }, ...(page.state && !run.dry_run ? ["now ", pageBadge(page.state)] : []));
  return el("li", {},
    el("div", {}, badge(CHANGE[page.change] || [page.change, "idle"]), " ", title, page.kind !== "page" && el("span", { class: "dim" }, ` ${page.kind}`)),
    el("div", {}, state, ...parts),
    page.reason ? el("div", { class: "reason" }, page.reason) : null);
}
