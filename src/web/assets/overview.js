// The overview: how the service stands in one line, what waits for the administrator, and every index.

import * as api from "./api.js";
import * as live from "./live.js";
import { bytes, count, el, facts, isAdministrator, link, many, moment, replace, time } from "./dom.js";
import { known } from "./checks.js";
import { indexList } from "./indexlist.js";
import { ofIndex } from "./router.js";
import { SPACE, isOpen } from "./words.js";

/// How often the numbers that no event tells are asked for.
const EVERY = 15_000;

export function show(root) {
  const line = el("p", { class: "verdict" });
  // The line itself holds times that go on; only what it comes to is read out.
  const spoken = el("p", { class: "sr", role: "status" });
  const waiting = el("ul", { class: "waiting", "aria-label": "Waits for you" });
  const numbers = el("div");
  const list = indexList();
  root.append(
    el("h1", { class: "sr" }, "Overview"),
    line, spoken,
    waiting,
    el("section", { "aria-labelledby": "indexes-title" },
      el("div", { class: "heading" },
        el("h2", { id: "indexes-title" }, "Indexes"),
        el("span", { class: "gap" }),
        el("a", { class: "button primary", href: "#/new", "data-for": "editor" }, "New index")),
      list.root),
    el("section", { "aria-labelledby": "service-title" },
      el("div", { class: "heading" }, el("h2", { id: "service-title" }, "Service"), el("span", { class: "gap" }),
        el("a", { href: "#/checks", "data-for": "administrator" }, "Check everything")),
      numbers),
  );
  let health = null;
  let trouble = null;
  const draw = () => {
    const indexes = live.all();
    const tasks = tasksOf(indexes, health);
    replace(line, ...verdict(indexes, health, trouble, tasks));
    line.dataset.tone = toneOf(health, trouble, tasks);
    const words = line.querySelector("b").textContent;
    if (spoken.textContent !== words) spoken.textContent = words;
    waiting.hidden = !tasks.length;
    replace(waiting, ...tasks.map((task) =>
      el("li", { "data-tone": task.tone }, el("b", {}, task.what), " ", el("span", {}, task.why), " ", task.href && el("a", { href: task.href, "data-for": task.href === "#/checks" && "administrator" }, task.link))));
    list.draw(indexes);
    replace(numbers, health ? serviceFacts(health, indexes) : el("p", { class: "dim" }, trouble || "Asking…"));
  };
  const look = async () => {
    try {
      health = await api.health();
      trouble = null;
    } catch (error) {
      trouble = error.message;
    }
    draw();
  };
  draw();
  look();
  const timer = setInterval(look, EVERY);
  return { live: draw, at: (rest) => rest.length === 0, stop: () => clearInterval(timer) };
}

/// What somebody has to look at, the most urgent first.
function tasksOf(indexes, health) {
  const tasks = [];
  const add = (rank, tone, what, why, href, words) => tasks.push({ rank, tone, what, why, href, link: words });
  if (health) {
    if (health.status === "down") add(0, "bad", "The service cannot work.", health.reasons?.[0] || "", "#/checks", "Checks");
    const { confluence, stores = [] } = health;
    if (confluence?.connection && confluence.connection !== "connected") add(1, "bad", "Confluence is not connected.", "Nothing is read from there until an administrator connects it.", "#/checks", "Connect");
    else if (confluence?.trouble) add(1, "bad", "Confluence:", confluence.trouble, "#/checks", "Checks");
    for (const store of stores) if (store.trouble) add(1, "bad", `Store ${store.backend}:`, store.trouble, "#/checks", "Checks");
    if (confluence?.paused_until && new Date(confluence.paused_until) > Date.now()) {
      add(4, "warn", "Confluence limits requests:", `everything waits until ${moment(confluence.paused_until)}.`);
    }
  }
  for (const { index_id, name, said } of health?.pending_rebuilds || []) add(6, "warn", `“${name}” asks:`, `${said}.`, ofIndex(index_id), "Look");
  for (const index of indexes) {
    const reason = index.status_reason || index.last_run?.error?.detail || "";
    const href = ofIndex(index.id);
    if (index.status === "needs_confirmation") add(2, "warn", `“${index.name}” asks:`, reason, ofIndex(index.id, "question"), "Answer");
    else if (index.status === "failed") add(3, "bad", `“${index.name}” failed:`, reason, href, "Look");
    else if (index.status === "degraded") add(5, "warn", `“${index.name}”:`, reason || "its last run left something undone.", href, "Look");
    else {
      const odd = index.spaces.filter((space) => ["archived", "vanished", "failing"].includes(space.state));
      if (odd.length) add(6, "warn", `“${index.name}”:`, odd.map((space) => `space ${space.key} is ${SPACE[space.state]}`).join(", "), href, "Look");
    }
  }
  return tasks.sort((a, b) => a.rank - b.rank);
}

function toneOf(health, trouble, tasks) {
  if (trouble) return "bad";
  if (tasks.length) return tasks[0].tone;
  return health ? "good" : "idle";
}

/// One line that is true.
function verdict(indexes, health, trouble, tasks) {
  if (trouble) return [el("b", {}, "Not known. "), trouble];
  const busy = indexes.filter((index) => isOpen(index.last_run)).length;
  const synced = indexes.map((index) => index.as_of).filter(Boolean).sort().at(-1);
  const pages = indexes.reduce((sum, index) => sum + index.document_count, 0);
  const told = [
    `${many(indexes.length, "index", "indexes")}, ${many(pages, "page")}`,
    busy ? `${busy} syncing now` : "",
  ].filter(Boolean).join(", ");
  const last = synced ? [", last good sync ", time(synced)] : indexes.length ? [", no good sync yet"] : [];
  if (!health) return [el("b", {}, "Asking how it stands… "), told];
  if (tasks.length) {
    const wrong = tasks.filter((task) => task.tone === "bad").length;
    const wait = tasks.length - wrong;
    const words = [wrong && `${many(wrong, "thing")} ${wrong === 1 ? "is" : "are"} wrong`, wait && `${many(wait, "thing")} ${wait === 1 ? "waits" : "wait"} for you`];
    return [el("b", {}, `${words.filter(Boolean).join(", ")}. `), told, ...last];
  }
  if (!indexes.length) return [el("b", {}, "Ready. "), "There is no index yet."];
  const never = indexes.filter((index) => !index.as_of && index.enabled).length;
  if (never) return [el("b", {}, "First syncs are on their way. "), told, ...last];
  return [el("b", {}, "All is well. "), told, ...last];
}

function serviceFacts(health, indexes) {
  const { confluence, stores = [], disk } = health;
  const waits = confluence?.paused_until && new Date(confluence.paused_until) > Date.now();
  const quiet = indexes.filter((index) => !index.enabled).length;
  return facts(
    ["Version", health.version || "", health.uptime_seconds != null && ` · up ${upFor(health.uptime_seconds)}`],
    confluence?.site && ["Site", link(confluence.site.replace(/^https?:\/\//, ""), confluence.site)],
    ["Account", known().account || (isAdministrator() ? el("a", { href: "#/checks" }, "not asked yet") : "not asked")],
    confluence && ["Confluence requests", `${count(confluence.requests)} since the start · ${confluence.in_flight} of ${confluence.concurrency_limit} in flight`],
    confluence && ["Pauses", waits ? `waits until ${moment(confluence.paused_until)}` : "none",
      quiet ? ` · ${many(quiet, "index", "indexes")} paused by you` : ""],
    confluence?.quota && ["Quota", `${count(confluence.quota.remaining)} points or requests left until ${moment(confluence.quota.refilled_at)}`],
    ...stores.map((store) => [`Store ${store.backend}`, store.description, store.requests ? ` · ${many(store.requests, "request")}` : ""]),
    disk && ["Disk", `database ${bytes(disk.database_bytes)}, of that ${many(disk.bodies, "kept text")} in ${bytes(disk.bodies_bytes)}${disk.free_bytes == null ? "" : `; ${bytes(disk.free_bytes)} free`}`],
  );
}

function upFor(seconds) {
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
