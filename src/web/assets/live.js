// What the service tells by its events: every index, the newest runs. Views ask here and hear of changes.

const indexes = new Map();
const runs = new Map();
const listeners = new Set();
let events = null;
let known = false;

/// Runs that are remembered beside those under way.
const KEPT = 300;

export const all = () => [...indexes.values()];
export const get = (id) => indexes.get(id);
export const run = (id) => runs.get(id);
/// Whether the first snapshot has come.
export const isKnown = () => known;

/// Runs of an index, the newest first.
export const runsOf = (index) => [...runs.values()].filter((run) => run.index_id === index).sort((a, b) => (a.id < b.id ? 1 : -1));

export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell() {
  for (const listener of [...listeners]) listener();
}

export function applyIndex(index) {
  if (index.deleted) indexes.delete(index.id);
  else indexes.set(index.id, { ...indexes.get(index.id), ...index });
  tell();
}

export function applyRun(run) {
  take(run);
  tell();
}

function take(run) {
  runs.set(run.id, run);
  pace(run);
  if (runs.size > KEPT) {
    const oldest = [...runs.values()].filter((one) => one.finished_at).sort((a, b) => (a.id < b.id ? -1 : 1))[0];
    if (oldest) runs.delete(oldest.id);
  }
  const index = indexes.get(run.index_id);
  if (!index || run.dry_run) return;
  const last = index.last_run;
  if (!last || last.id <= run.id) indexes.set(index.id, { ...index, last_run: run });
}

/// What the counters of runs under way were of late.
const paces = new Map();
/// As long as that.
const LATE = 30_000;

function pace(run) {
  if (run.finished_at) {
    paces.delete(run.id);
    return;
  }
  const now = performance.now();
  const track = paces.get(run.id) || [];
  track.push({ at: now, counts: run.counts });
  while (track.length > 1 && now - track[1].at > LATE) track.shift();
  paces.set(run.id, track);
}

/// Pages a second of one counter over the last half minute; 0 where it rests.
export function paceOf(run, counter) {
  const track = paces.get(run.id);
  if (!track) return 0;
  const first = track[0];
  const seconds = (performance.now() - first.at) / 1000;
  return seconds > 1 ? Math.max(0, run.counts[counter] - first.counts[counter]) / seconds : 0;
}

/// Follows the events; `stands(word, text)` hears how the connection is, `closed` when the service ended it.
export function follow(stands, closed) {
  events?.close();
  events = new EventSource("api/events");
  const on = (name, work) => events.addEventListener(name, (event) => work(JSON.parse(event.data)));
  on("snapshot", (snapshot) => {
    indexes.clear();
    runs.clear();
    for (const index of snapshot.indexes) indexes.set(index.id, index);
    for (const one of [...snapshot.runs].reverse()) take(one);
    known = true;
    stands("live", "Connected");
    tell();
  });
  for (const name of ["run_started", "progress", "run_finished"]) on(name, applyRun);
  on("index_changed", applyIndex);
  events.onopen = () => stands("live", "Connected");
  events.onerror = async () => {
    stands("lost", "Reconnecting…");
    // A browser does not come back by itself after an answer that is no stream.
    if (events.readyState === EventSource.CLOSED) {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      closed();
    }
  };
}

export function forget() {
  events?.close();
  events = null;
  indexes.clear();
  runs.clear();
  known = false;
}
