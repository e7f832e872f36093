// The cards of the indexes: one each, kept current by events without being made anew.

import * as api from "./api.js";
import { $, count, el, sure, time, toast } from "./dom.js";

const STATUS = {
  new: ["New", "idle"],
  syncing: ["Syncing", "busy"],
  ok: ["Up to date", "good"],
  degraded: ["Needs a look", "warn"],
  failed: ["Failed", "bad"],
  needs_confirmation: ["Waits for you", "warn"],
  disabled: ["Disabled", "idle"],
};
const KIND = { first: "First sync", delta: "Poll", sweep: "Sweep", full: "Full check" };
const OVER = {
  succeeded: "succeeded",
  partial: "ended, some pages failed",
  failed: "failed",
  canceled: "was cancelled",
  interrupted: "was interrupted; the next one goes on",
  needs_confirmation: "waits for a decision",
};

const open = (run) => run && ["pending", "running", "canceling"].includes(run.status);

const indexes = new Map();
const cards = new Map();
let changed = () => {};

export const all = () => [...indexes.values()].sort((a, b) => a.name.localeCompare(b.name));
export const onChange = (listener) => (changed = listener);

export function replaceAll(list, runs) {
  indexes.clear();
  for (const index of list) indexes.set(index.id, index);
  for (const run of [...runs].reverse()) applyRun(run, false);
  draw();
}

export function applyIndex(index) {
  if (index.deleted) indexes.delete(index.id);
  else indexes.set(index.id, { ...indexes.get(index.id), ...index });
  draw();
}

export function applyRun(run, redraw = true) {
  const index = indexes.get(run.index_id);
  if (!index || run.dry_run) return;
  const last = index.last_run;
  const newer = !last || last.run_id === run.run_id || (run.started_at || "") >= (last.started_at || "");
  if (newer) {
    index.last_run = run;
    if (open(run)) index.status = "syncing";
  }
  if (redraw) draw();
}

function draw() {
  const list = $("#indexes");
  const wanted = all();
  for (const [id, card] of cards) {
    if (!indexes.has(id)) {
      card.root.remove();
      cards.delete(id);
    }
  }
  for (const index of wanted) {
    let card = cards.get(index.id);
    if (!card) {
      card = make(index.id);
      cards.set(index.id, card);
    }
    card.update(index);
  }
  const order = wanted.map((index) => cards.get(index.id).root);
  if (order.some((root, at) => list.children[at] !== root)) list.replaceChildren(...order);
  if (!wanted.length) list.replaceChildren(el("p", { class: "empty" }, "No index yet. Create one, and its first sync starts at once."));
  const pages = wanted.reduce((sum, index) => sum + index.document_count, 0);
  const busy = wanted.filter((index) => open(index.last_run)).length;
  $("#summary").textContent = wanted.length
    ? `${count(wanted.length)} ${wanted.length === 1 ? "index" : "indexes"} · ${count(pages)} pages${busy ? ` · ${busy} syncing` : ""}`
    : "";
  changed();
}

async function attempt(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    toast(error.message, "bad");
  } finally {
    button.disabled = false;
  }
}

function make(id) {
  const title = el("h3");
  const badge = el("span", { class: "badge" });
  const facts = el("p", { class: "facts" });
  const spaces = el("ul", { class: "chips", "aria-label": "Spaces" });
  const reason = el("p", { class: "reason", hidden: true });
  const bar = el("progress", { max: "100", "aria-label": "Sync progress" });
  const doing = el("p", { class: "doing" });
  const progress = el("div", { class: "progress", hidden: true }, bar, doing);
  const last = el("p", { class: "last dim" });
  const failures = el("details", { class: "failures", hidden: true });
  const decide = el("div", { class: "decide", hidden: true });
  const syncNow = el("button", { type: "button", onclick: () => attempt(syncNow, () => start(id)) }, "Sync now");
  const cancel = el("button", { type: "button", hidden: true, onclick: () => attempt(cancel, () => stop(id)) }, "Cancel sync");
  const connect = el("button", { type: "button", class: "quiet", onclick: () => showConnect(indexes.get(id)) }, "Connect");
  const remove = el("button", { type: "button", class: "quiet", onclick: () => attempt(remove, () => drop(id)) }, "Delete");
  const root = el(
    "article",
    { class: "card index" },
    el("div", { class: "head" }, title, badge),
    facts, spaces, reason, progress, decide, last, failures,
    el("div", { class: "actions" }, syncNow, cancel, el("span", { class: "gap" }), connect, remove),
  );
  let decided = null;
  let failedOf = null;

  function update(index) {
    const run = index.last_run;
    const busy = open(run);
    title.textContent = index.name;
    const [word, tone] = STATUS[busy ? "syncing" : index.status] || [index.status, "idle"];
    badge.textContent = word;
    badge.dataset.tone = tone;
    facts.replaceChildren(
      el("span", {}, "agent ", el("code", {}, index.agent_id)),
      el("span", {}, `${count(index.document_count)} ${index.document_count === 1 ? "page" : "pages"}`),
      el("span", {}, `every ${index.interval_minutes} min`),
      ...(index.quiet_hours ? [quiet(index.quiet_hours)] : []),
      el("span", {}, index.backend === "local" ? "embedded index" : "LlamaCloud"),
    );
    spaces.replaceChildren(
      ...index.spaces.map((space) => {
        const shown = space.current_key || space.key;
        const odd = ["archived", "vanished", "failing"].includes(space.state);
        return el("li", { title: space.reason || space.name, class: odd ? "odd" : null }, el("b", {}, shown), ` ${space.name || ""}`, odd && ` (${space.state})`);
      }),
    );
    const trouble = !busy && (index.status_reason || (run && run.error && run.error.detail));
    reason.hidden = !trouble;
    reason.textContent = trouble || "";

    progress.hidden = !busy;
    if (busy) {
      const { seen, uploaded, searchable, unchanged, skipped, failed } = run.counts;
      const done = searchable + unchanged + skipped + failed;
      if (run.status === "pending" || !seen) bar.removeAttribute("value");
      else bar.value = Math.min(100, Math.round((100 * done) / seen));
      const parts = [`${KIND[run.kind] || run.kind}: ${count(done)} of ${count(seen)} pages`];
      if (uploaded > searchable) parts.push(`${count(uploaded - searchable)} being indexed`);
      if (failed) parts.push(`${count(failed)} failed`);
      if (run.eta_seconds) parts.push(`about ${run.eta_seconds < 90 ? `${run.eta_seconds} s` : `${Math.round(run.eta_seconds / 60)} min`} left`);
      if (run.status === "canceling") parts.push("stopping…");
      doing.textContent = parts.join(" · ");
    }
    cancel.hidden = !busy;
    cancel.disabled = run && run.status === "canceling";
    syncNow.hidden = busy;

    const waits = run && run.status === "needs_confirmation" && index.status === "needs_confirmation";
    decide.hidden = !waits;
    if (waits && decided !== run.run_id) {
      decided = run.run_id;
      const yes = el("button", { type: "button", class: "danger", onclick: () => attempt(yes, () => api.confirm(run.run_id, "accept")) }, "Remove the pages");
      const no = el("button", { type: "button", onclick: () => attempt(no, () => api.confirm(run.run_id, "refuse")) }, "Keep them");
      decide.replaceChildren(el("p", {}, "Unusually many pages vanished at the source. Shall they leave the index?"), el("div", { class: "row" }, yes, no));
    }

    if (!busy && run && run.finished_at) {
      const made = [
        run.counts.uploaded && `${count(run.counts.uploaded)} stored`,
        run.counts.deleted && `${count(run.counts.deleted)} removed`,
        run.counts.unchanged && `${count(run.counts.unchanged)} unchanged`,
        run.counts.failed && `${count(run.counts.failed)} failed`,
      ].filter(Boolean);
      last.replaceChildren(
        `${KIND[run.kind] || run.kind} ${OVER[run.status] || run.status} `, time(run.finished_at),
        made.length ? ` · ${made.join(", ")}` : "",
        ` · ${count(run.requests.confluence)} Confluence requests`,
        ...(index.next_run_at ? [" · next ", time(index.next_run_at)] : []),
      );
    } else {
      last.replaceChildren();
    }
    const failed = !busy && run && run.counts.failed > 0 ? run.run_id : null;
    failures.hidden = !failed;
    if (failed && failed !== failedOf) {
      failures.replaceChildren(el("summary", {}, "Pages that failed"));
      failures.ontoggle = () => failures.open && failures.children.length === 1 && listFailures(id, failures);
    }
    failedOf = failed;
  }
  return { root, update };
}

async function listFailures(id, details) {
  try {
    const { items } = await api.failedPages(id);
    details.append(el("ul", {}, ...items.map((page) => el("li", {}, el("b", {}, page.title), `: ${page.reason || "no reason given"}`))));
  } catch (error) {
    toast(error.message, "bad");
  }
}

async function start(id) {
  applyRun(await api.sync(id, {}));
}

async function stop(id) {
  const run = indexes.get(id).last_run;
  applyRun(await api.cancel(run.run_id));
}

async function drop(id) {
  const index = indexes.get(id);
  const text = `The ${count(index.document_count)} pages of the index leave the store; Confluence is not touched.`;
  if (await sure(`Delete “${index.name}”?`, text, "Delete index")) {
    await api.deleteIndex(id);
    applyIndex({ id, deleted: true });
    toast(`“${index.name}” was deleted.`);
  }
}

function showConnect(index) {
  // Where a proxy put the page, with its prefix.
  const base = new URL(".", location.href).href.replace(/\/$/, "");
  $("#connect-yaml").textContent = `mcpServers:
  confluence:
    type: sse
    url: ${base}/mcp/sse?agent_id=${index.agent_id}
    requiresOAuth: false
    headers:
      Authorization: "Bearer \${CONFLUENCE_SYNC_TOKEN}"
    timeout: 60000
    serverInstructions: true
`;
  $("#connect").showModal();
}

/// Hours in which no scheduled run starts.
function quiet({ from, to, time_zone: zone }) {
  return el("span", { title: "no scheduled run starts in these hours" }, `quiet ${from}–${to} ${zone}`);
}
