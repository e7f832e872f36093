// How an index stands: its run under way by stages, its spaces, what can be ordered.

import * as api from "./api.js";
import * as live from "./live.js";
import { action, count, el, facts, link, many, replace, sure, time, toast } from "./dom.js";
import { progress } from "./progress.js";
import { go, ofIndex } from "./router.js";
import { KIND, SPACE, STORE, isOpen, runBadge, storeOf } from "./words.js";

/// How often the numbers of an index that syncs are asked for.
const EVERY = 5_000;

export function show(root, index) {
  const { id } = index;
  const why = el("div");
  const moving = el("div");
  const asks = el("div");
  const under = progress();
  const numbers = el("div");
  const spaces = el("ul", { class: "rows spaces-of", "aria-label": "Spaces" });
  const now = () => live.get(id);

  const order = (what) => async () => {
    const run = await api.sync(id, what);
    live.applyRun(run);
    if (what.dry_run) go(["index", id, "runs", run.id]);
    else if (run.queued) toast("A run is under way; this one follows it.");
  };
  const [syncNow, syncSlot] = action("Sync now", { class: "primary" }, order({}));
  const [cancel, cancelSlot] = action("Cancel the run", {}, async () => live.applyRun(await api.cancel(now().last_run.id)));
  const [pause, pauseSlot] = action("", {}, async () => {
    live.applyIndex(await api.changeIndex(id, { enabled: !now().enabled }));
  });
  const more = [
    ["Poll", "only what changed since the last run; the cheapest", action("Poll", {}, order({ full: false }))],
    ["Full check", "also re-checks every version and label by id, and asks again about removals that you refused", action("Full check", {}, order({ full: true }))],
    ["Dry run", "looks and says what would change, page by page, and what it would cost; changes nothing", action("Dry run", {}, order({ dry_run: true }))],
    ["Rebuild", "fills the store anew from what is kept here; Confluence is asked for nothing, and the present one answers meanwhile", action("Rebuild", {}, rebuild)],
    ["Move", "to the other store, from what is kept here; the present one answers until the other is complete", action("Move…", {}, move)],
    ["Delete", "the pages leave the store; Confluence is not touched", action("Delete…", { class: "danger" }, remove)],
  ];
  async function rebuild() {
    const text = "Every page is sent to the store once more, which may cost credits there. Answers go on meanwhile.";
    if (!(await sure("Rebuild this index?", text, "Rebuild"))) return;
    await order({ rebuild: true })();
    asks.replaceChildren();
  }
  // A changed setting waits for a word; what it takes is told where one gives it.
  async function look() {
    const { pending_rebuilds: all = [] } = await api.health();
    const mine = all.find((one) => one.index_id === id);
    const [button, slot] = action("Rebuild…", {}, rebuild);
    asks.replaceChildren(...(mine ? [el("p", { class: "reason calm" }, `${mine.said}.`), el("div", { class: "actions" }, button), slot] : []));
  }
  async function move() {
    const target = now().backend === "local" ? "llamacloud" : "local";
    const text = `Every page is sent to ${STORE[target]} from what is kept here. ${STORE[now().backend]} answers until that is complete.`;
    if (await sure(`Move to ${STORE[target]}?`, text, "Move")) live.applyIndex(await api.changeIndex(id, { backend: target }));
  }
  async function remove() {
    const text = `The ${many(now().document_count, "page")} of “${now().name}” leave the store, and its tokens end. Confluence is not touched.`;
    if (!(await sure(`Delete “${now().name}”?`, text, "Delete index"))) return;
    await api.deleteIndex(id);
    toast(`“${now()?.name || index.name}” was deleted.`);
    live.applyIndex({ id, deleted: true });
    location.hash = "#/";
  }
  const [giveUp, giveUpSlot] = action("Give the move up", {}, async () => live.applyIndex(await api.changeIndex(id, { backend: now().backend })));

  root.append(
    why, asks, moving, giveUpSlot,
    under.root,
    el("div", { class: "actions" }, syncNow, cancel, pause,
      el("details", { class: "more", "data-for": "editor" }, el("summary", { class: "button" }, "More"),
        el("ul", {}, ...more.map(([, words, [button, slot]]) => el("li", {}, button, el("span", { class: "dim" }, words), slot))))),
    syncSlot, cancelSlot, pauseSlot,
    numbers,
    el("h2", {}, "Spaces"), spaces);

  function draw(one) {
    const run = one.last_run;
    const busy = isOpen(run);
    const reason = one.status_reason || (!busy && run?.error?.detail) || "";
    replace(why, reason && !(busy && one.status === "syncing") ? el("p", { class: "reason" }, reason,
      one.status === "needs_confirmation" && [" ", el("a", { href: ofIndex(id, "question") }, "Answer")]) : "");
    const going = one.moving;
    replace(moving, going ? el("p", { class: "reason calm" },
      `Moves to ${STORE[going.backend]}: ${count(going.searchable)} of ${count(going.documents)} pages are searchable there${going.failed ? `, ${count(going.failed)} failed` : ""}. ${STORE[one.backend]} answers until it is complete. `) : "");
    if (going && !giveUp.isConnected) moving.after(giveUp);
    if (!going) giveUp.remove();
    under.draw(busy ? run : null);
    syncNow.hidden = busy;
    cancel.hidden = !busy;
    cancel.disabled = run?.status === "canceling";
    pause.textContent = one.enabled ? "Pause" : "Resume";
    pause.title = one.enabled ? "No scheduled run starts until you resume" : "Scheduled runs start again";
    replace(numbers, facts(
      ["Agent", el("code", {}, one.agent_id)],
      ["Pages", el("a", { href: ofIndex(id, "pages") }, count(one.document_count))],
      ["Last good sync", one.as_of ? time(one.as_of) : "none yet"],
      ["Last run", run ? [el("a", { href: ofIndex(id, "runs", run.id) }, KIND[run.kind] || run.kind), " ", runBadge(run)] : "none yet"],
      ["Next run", busy ? "after this one" : !one.enabled ? "paused" : one.next_run_at ? time(one.next_run_at) : "not planned"],
      ["Every", `${count(one.interval_minutes)} min`, one.quiet_hours ? ` · quiet ${one.quiet_hours.from}–${one.quiet_hours.to} ${one.quiet_hours.time_zone}` : ""],
      ["Store", storeOf(one), one.remote ? [" ", el("code", {}, one.remote.name)] : ""],
    ));
    replace(spaces, ...one.spaces.map((space) => {
      const shown = space.current_key || space.key;
      const odd = SPACE[space.state];
      return el("li", {},
        el("b", {}, shown, shown !== space.key && el("span", { class: "dim" }, ` (given as ${space.key})`)),
        space.url ? link(space.name || shown, space.url) : el("span", {}, space.name || ""),
        el("a", { href: `${ofIndex(id, "pages")}?space=${encodeURIComponent(shown)}` }, many(space.pages, "page")),
        el("span", { class: "dim" }, space.last_sync_at ? ["read ", time(space.last_sync_at)] : "not read yet"),
        (odd && space.state !== "new") || space.reason ? el("span", { class: "reason" }, [odd, space.reason].filter(Boolean).join(": ")) : null);
    }));
  }
  draw(index);
  look().catch(() => {});
  // A run tells its own numbers; those of the index grow meanwhile.
  const timer = setInterval(async () => {
    if (isOpen(now()?.last_run)) await api.index(id).then(live.applyIndex, () => {});
  }, EVERY);
  return { live: draw, at: (rest) => rest.length === 0, stop: () => clearInterval(timer) };
}
