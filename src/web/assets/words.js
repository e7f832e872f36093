// Which word people read for which of the service's, and how it stands out. No state is told by colour alone.

import { el } from "./dom.js";

export const STATUS = {
  new: ["New", "idle"],
  syncing: ["Syncing", "busy"],
  ok: ["Up to date", "good"],
  degraded: ["Needs a look", "warn"],
  failed: ["Failed", "bad"],
  needs_confirmation: ["Waits for you", "warn"],
  disabled: ["Paused", "idle"],
};

export const KIND = { first: "First sync", delta: "Poll", sweep: "Sweep", full: "Full check", move: "Move" };

export const RUN = {
  pending: ["Waiting to start", "idle"],
  running: ["Running", "busy"],
  canceling: ["Stopping", "busy"],
  succeeded: ["Succeeded", "good"],
  partial: ["Partial", "warn"],
  failed: ["Failed", "bad"],
  canceled: ["Cancelled", "idle"],
  interrupted: ["Interrupted", "warn"],
  needs_confirmation: ["Asked you", "warn"],
};

export const PAGE = {
  pending: ["Waiting", "idle"],
  uploaded: ["Sent", "busy"],
  searchable: ["Searchable", "good"],
  failed: ["Failed", "bad"],
  skipped: ["Left out", "idle"],
  vanishing: ["Hidden", "warn"],
  removed: ["Removed", "idle"],
};

export const CHANGE = {
  added: ["Added", "good"],
  changed: ["Changed", "busy"],
  removed: ["Removed", "idle"],
  hidden: ["Hidden", "warn"],
  failed: ["Failed", "bad"],
};

export const CHECK = { ok: ["Good", "good"], warning: ["Look", "warn"], failed: ["Wrong", "bad"] };

export const CONNECTION = { connected: ["Connected", "good"], missing: ["Not connected", "warn"], refused: ["Refused", "bad"] };

export const SPACE = { archived: "archived", vanished: "not visible any more", failing: "cannot be read", new: "not read yet" };

export const STORE = { local: "embedded index", llamacloud: "LlamaCloud" };
const OBJECT = { pipeline: "pipeline (v1)", directory_index: "directory and index (v2)", local: "embedded index" };

/// Where an index is kept, with its generation.
export function storeOf(index) {
  if (index.backend === "local" || !index.remote) return STORE[index.backend] || index.backend;
  return `${STORE[index.backend] || index.backend}, ${OBJECT[index.remote.kind] || index.remote.kind}`;
}

/// Whether answers of an index differ by person.
export const isPerUser = (index) => index.access === "per_user" || index.access === "per_user_checked";

export const isOpen = (run) => Boolean(run) && ["pending", "running", "canceling"].includes(run.status);

export function badge([words, tone]) {
  return el("span", { class: "badge", "data-tone": tone }, words);
}

export function indexBadge(index) {
  if (isOpen(index.last_run)) return badge(index.last_run.status === "pending" ? ["Waiting to start", "busy"] : STATUS.syncing);
  if (!index.enabled && index.status !== "needs_confirmation") return badge(STATUS.disabled);
  return badge(STATUS[index.status] || [index.status, "idle"]);
}

export const runBadge = (run) => badge(RUN[run.status] || [run.status, "idle"]);
export const pageBadge = (state) => badge(PAGE[state] || [state, "idle"]);
