// States that no demo comes to: the answers of REST are of our own writing, the page around them is the real one.
import assert from "node:assert/strict";
import { open, phone, shot, sound, step } from "./lib.mjs";

const LONG = "Betriebshandbuch_der_Donaudampfschifffahrtsgesellschaft_mit_allen_Anlagen_und_Nachtraegen_seit_1829";
const ID = "01a222d2-36d0-7347-af7b-0d16ef984191";
const RUN = "01a222d2-3802-769e-aa9c-a029ad3bf2bb";
const at = (minutes) => new Date(Date.now() + minutes * 60_000).toISOString();

const counts = (values = {}) => ({ seen: 0, fetched: 0, uploaded: 0, searchable: 0, deleted: 0, unchanged: 0, skipped: 0, failed: 0, ...values });
const run = (values = {}) => ({
  run_id: RUN, id: RUN, index_id: ID, kind: "sweep", status: "succeeded", dry_run: false, plan: null, queued: false, follow_up_run_id: null,
  started_at: at(-9), finished_at: at(-8), requests: { confluence: 41, store: 12 }, eta_seconds: null, error: null, ...values, counts: counts(values.counts),
});
const space = (values = {}) => ({ key: "ENG", id: "1", current_key: "ENG", alias: null, name: "Engineering", url: "https://site.example/wiki/spaces/ENG", state: "current", reason: null, pages: 120, last_sync_at: at(-8), ...values });
const index = (values = {}) => ({
  id: ID, name: "Handbook", agent_id: "handbook", confluence_spaces: ["ENG"], interval_minutes: 60, enabled: true, quiet_hours: null, backend: "llamacloud",
  include_blog_posts: false, include_comments: false, include_attachments: false, labels: [], exclude_labels: [], root_page_ids: [], restricted_pages: "skip",
  remote: { kind: "directory_index", id: "x", name: "confluence-handbook" }, moving: null, status: "ok", status_reason: null, spaces: [space()],
  document_count: 1204, last_run: run(), as_of: at(-8), next_run_at: at(52), created_at: at(-9000), updated_at: at(-900), ...values,
});
const page = (values = {}) => ({
  id: "98352", kind: "page", title: "Roll back a deployment", url: "https://site.example/wiki/spaces/ENG/pages/98352", space_key: "ENG", version: 7, last_modified: at(-4000),
  labels: ["runbook"], breadcrumb: ["Operations"], state: "searchable", reason: null, attempts: 0, next_try_at: null, ...values,
});
const health = (values = {}) => ({
  status: "ok", version: "0.1.0", uptime_seconds: 93_000, reasons: [], indexes: {}, documents: 1204, running: 0,
  confluence: { site: "https://site.example", requests: 48_211, in_flight: 3, concurrency_limit: 8, paused_until: null, trouble: null },
  stores: [{ backend: "local", description: "embedded index /data/confluence_sync.index.db (48211 KB), language auto", requests: 0, trouble: null },
    { backend: "llamacloud", description: "api.cloud.llamaindex.ai, v2", requests: 812, trouble: null }],
  disk: { database_bytes: 81_000_000, bodies: 1204, bodies_bytes: 4_100_000 }, ...values,
});
const problem = (status, code, detail, errors = []) => ({ status, json: { type: `/docs/problems#${code}`, title: code, status, code, detail, errors } });
const list = (items, next_cursor = null) => ({ json: { items, next_cursor } });

/// A page over a made-up service: `answers` has what differs, as `"METHOD path": answer` with the path behind `api/`.
async function over(base, { indexes = [index()], runs = [], answers = {}, ...options }) {
  const opened = await open(base, { allowed: [404, 409, 422, 503], ...options });
  const all = {
    "GET session": { json: { required: false, signed_in: true, role: "administrator", name: null } },
    "GET health": { json: health() },
    [`GET indexes/${ID}/question`]: { json: { question: null } },
    ...answers,
  };
  const events = `event: snapshot\nid: 1\ndata: ${JSON.stringify({ id: 1, indexes, runs })}\n\n`;
  const asked = [];
  await opened.page.route(/\/(api\/|health$)/, async (route) => {
    const request = route.request();
    const path = new URL(request.url()).pathname.replace(/^\/(api\/)?/, "").replace(/\/$/, "");
    if (path === "events") return route.fulfill({ contentType: "text/event-stream", body: `retry: 3600000\n${events}` });
    asked.push({ method: request.method(), path, query: new URL(request.url()).searchParams, body: request.postDataJSON?.() });
    const answer = all[`${request.method()} ${path}`];
    const made = typeof answer === "function" ? answer(asked.at(-1)) : answer;
    return made ? route.fulfill(made) : route.fulfill(problem(404, "not_found", `There is no ${path}.`));
  });
  return { ...opened, asked };
}

/// A state: shown, sound in light and dark, and at the width of a phone.
async function state(base, name, hash, ready, made, more = async () => {}) {
  const { page, asked, trouble, close } = await over(base, { ...made(), colorScheme: "light" });
  await page.goto(`${base}/${hash}`);
  await ready(page);
  await sound(page, name);
  await shot(page, name);
  await phone(page, name);
  await page.emulateMedia({ colorScheme: "dark" });
  await sound(page, `${name}, dark`, ["color-contrast"]);
  await shot(page, `${name}-dark`);
  await page.emulateMedia({ colorScheme: "light" });
  await more(page, asked);
  assert.deepEqual(trouble, [], name);
  await close();
}

/// A changed setting that waits for a word: told on the overview and at the index, where one agrees.
async function asks(base) {
  const pending = {
    index_id: ID, name: "Handbook", setting: "LLAMA_CLOUD_INDEX_API", present: "v1", wanted: "v2", documents: 1204, store_requests: 25, cost: null,
    said: "LLAMA_CLOUD_INDEX_API asks for v2, and the index was made with v1: it goes on with that until you rebuild it, which stores 1204 documents anew",
    remedy: "to agree, rebuild it",
  };
  const made = () => ({
    answers: {
      "GET health": { json: health({ pending_rebuilds: [pending] }) },
      [`POST indexes/${ID}/sync`]: { status: 202, json: run({ kind: "move", status: "pending", finished_at: null }) },
    },
  });
  await state(base, "asks", "#/", (page) => page.locator(".waiting > li", { hasText: "asks for v2" }).waitFor(), made, async (page) => {
    await page.locator(".verdict", { hasText: "1 thing waits for you" }).waitFor();
  });
  await state(base, "asks-index", `#/index/${ID}`, (page) => page.getByText("stores 1204 documents anew").waitFor(), made, async (page, asked) => {
    await page.getByRole("button", { name: "Rebuild…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Rebuild" }).click();
    await page.getByText("stores 1204 documents anew").waitFor({ state: "detached" });
    assert.deepEqual(asked.find((one) => one.method === "POST")?.body, { rebuild: true });
  });
  step("a changed setting says what it takes, and waits for the word");
}

async function checks(base) {
  const items = [
    { what: "settings", outcome: "ok", said: "complete" },
    { what: "clock", outcome: "warning", said: `this machine's clock is 300 s behind Confluence's ${LONG}` },
    { what: "webhook", outcome: "failed", said: "hooks.example cannot be reached" },
  ];
  const made = () => ({ answers: { "GET doctor": list(items) } });
  await state(base, "checks", "#/checks", (page) => page.getByText("Of 3 checks 1 found something wrong, 1 found something to look at.").waitFor(), made, async (page) => {
    assert.match(await page.locator(".checks > li").first().innerText(), /^webhook\s+Wrong/);
  });
  step("checks that are good, odd and bad are told apart");
}

/// Confluence by OAuth: how the connection stands, who made it, and how it is made or ended.
async function connection(base) {
  const view = (values) => ({
    state: "connected", client_id: "app", site: "https://site.example", cloud_id: "1", connected_by: `${LONG} (signed in to the web page)`, connected_at: at(-900),
    scopes: ["read:page:confluence", "read:space:confluence", "offline_access"], refreshed_at: at(-20), access_ends_at: at(40), trouble: null, ...values,
  });
  const made = (now) => () => ({
    answers: {
      "GET doctor": list([]),
      "GET health": () => ({ json: health({ confluence: { ...health().confluence, connection: now.state } }) }),
      "GET confluence/oauth": () => ({ json: now }),
      "DELETE confluence/oauth": () => {
        Object.assign(now, { state: "missing", site: null });
        return { status: 204 };
      },
    },
  });
  const missing = view({ state: "missing", site: null });
  await state(base, "connection-missing", "#/checks", (page) => page.getByText("Nobody has connected Confluence yet.").waitFor(), made(missing), async (page) => {
    assert.equal(await page.getByRole("link", { name: "Connect Confluence" }).getAttribute("href"), "api/confluence/oauth/authorize");
    assert.equal(await page.getByRole("button", { name: "Disconnect" }).isVisible(), false);
  });
  const refused = view({ state: "refused", trouble: "Atlassian gives no more access tokens (invalid_grant): connect again" });
  await state(base, "connection-refused", "#/", (page) => page.locator(".waiting > li", { hasText: "Confluence is not connected." }).waitFor(), made(refused));
  await state(base, "connection", "#/checks", (page) => page.getByText("read:page:confluence").waitFor(), made(view()), async (page, asked) => {
    await page.getByRole("button", { name: "Disconnect" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
    await page.getByText("Nobody has connected Confluence yet.").waitFor();
    assert.equal(asked.filter((one) => one.method === "DELETE").length, 1);
  });
  step("the connection to Confluence is shown, made and ended");
}

/// Some at once: each waits most of the time.
export async function states(base) {
  const all = [hundred, underWay, trouble, asks, checks, connection, questions, evaluations, missed, runsOf, pagesOf, hostile, tokensOf, people, addresses, access, picker, refusals];
  const next = async () => {
    for (let one = all.shift(); one; one = all.shift()) await one(base);
  };
  await Promise.all([next(), next()]);
}

async function hundred(base) {
  const STATES = ["ok", "ok", "ok", "syncing", "degraded", "failed", "needs_confirmation", "disabled", "new", "ok"];
  const indexes = Array.from({ length: 100 }, (_, n) => {
    const status = STATES[n % STATES.length];
    return index({
      id: `01a222d2-36d0-7347-af7b-${String(n).padStart(12, "0")}`,
      name: n === 5 ? LONG : `Index ${n}`,
      agent_id: n === 5 ? LONG.slice(0, 90) : `agent-${n}`,
      status,
      enabled: status !== "disabled",
      status_reason: ["degraded", "failed", "needs_confirmation"].includes(status) ? `space ${LONG}: Confluence answered 503` : null,
      document_count: n * 37,
      last_run: status === "new" ? null : run({ index_id: `x${n}`, ...(status === "syncing" ? { status: "running", finished_at: null, counts: { seen: 400, fetched: 200 } } : {}) }),
      as_of: status === "new" ? null : at(-n * 13),
    });
  });
  const made = () => ({
    indexes,
    answers: { "GET health": { json: health({ status: "degraded", confluence: { ...health().confluence, paused_until: at(7) }, stores: [{ ...health().stores[1], trouble: "the store refuses the credentials at api.cloud.llamaindex.ai: 401" }] }) } },
  });
  await state(base, "hundred", "#/", (page) => page.locator(".indexes > li").nth(99).waitFor(), made, async (page) => {
    await page.locator(".verdict", { hasText: "11 things are wrong, 21 things wait for you" }).waitFor();
    assert.match(await page.locator(".waiting > li").first().innerText(), /^Store llamacloud: the store refuses/);
    await page.getByRole("searchbox", { name: "Search indexes" }).fill("index 42");
    assert.equal(await page.locator(".indexes > li").count(), 1);
    await page.getByRole("searchbox", { name: "Search indexes" }).fill("");
    await page.getByLabel("Filter").selectOption("trouble");
    assert.equal(await page.locator(".indexes > li").count(), 30);
    await page.getByLabel("Filter").selectOption("all");
    await page.getByLabel("Sort").selectOption("pages");
    assert.match(await page.locator(".indexes > li").first().innerText(), /Index 99/);
    await page.getByLabel("Sort").selectOption("trouble");
    assert.match(await page.locator(".indexes > li").first().innerText(), /Waits for you/);
  });
  step("a hundred indexes are searched, filtered and sorted");
}

async function underWay(base) {
  const running = run({ kind: "first", status: "running", finished_at: null, eta_seconds: 260, queued: true, counts: { seen: 1204, fetched: 1190, uploaded: 700, searchable: 120, skipped: 14, failed: 2 } });
  const made = () => ({ indexes: [index({ name: LONG, status: "syncing", last_run: running, spaces: [space(), space({ key: LONG.slice(0, 40), current_key: "NEW", name: LONG, state: "archived" }), space({ key: "GONE", name: null, url: null, state: "vanished", reason: "the account does not see it any more" })] })], runs: [running] });
  await state(base, "under-way", `#/index/${ID}`, (page) => page.getByText("about 4 min left").waitFor(), made, async (page) => {
    assert.match(await page.locator(".stages").innerText(), /Listed[\s\S]*1,204[\s\S]*Read[\s\S]*Sent[\s\S]*700 of 1,190|700 of 1,188/);
    assert.equal(await page.getByRole("button", { name: "Cancel the run" }).isVisible(), true);
  });
  const moving = () => ({ indexes: [index({ status: "degraded", status_reason: "the move to another store does not get on: 402; the old store answers", moving: { backend: "local", documents: 1204, searchable: 300, failed: 3, remote: null } })] });
  await state(base, "moving", `#/index/${ID}`, (page) => page.getByRole("button", { name: "Give the move up" }).waitFor(), moving);
  step("a run under way and a move are shown");
}

async function trouble(base) {
  const failed = run({ status: "failed", error: { type: "", title: "", status: 503, code: "confluence_unreachable", detail: `Confluence refuses the credentials: make a new token. ${LONG}`, errors: [] } });
  const made = () => ({ indexes: [index({ status: "failed", status_reason: null, last_run: failed, enabled: false })] });
  await state(base, "failed", `#/index/${ID}`, (page) => page.locator(".reason").waitFor(), made);
  const empty = () => ({ indexes: [] });
  await state(base, "empty", "#/", (page) => page.getByText("There is no index yet.").waitFor(), empty);
  await state(base, "gone", `#/index/${ID}`, (page) => page.getByText("There is no such index").waitFor(), empty);
  step("a failed index, none at all, and one that is gone are told");
}

async function questions(base) {
  const pages = Array.from({ length: 30 }, (_, n) => page({ id: String(n), title: n ? `Page ${n}` : LONG, state: "vanishing", reason: "in the trash" }));
  const question = (values) => ({ run_id: RUN, state: "waiting", asked_at: at(-50), reason: "30 of 40 pages disappeared at once", answered_at: null, answered_by: null, page_count: 620, pages, ...values });
  const by = { answered_at: at(-3), answered_by: "the administrator (signed in to the web page) from 10.1.2.3" };
  let now = question();
  const made = () => {
    now = question();
    return {
      indexes: [index({ status: "needs_confirmation", status_reason: "30 of 40 pages disappeared at once" })],
      answers: {
        [`GET indexes/${ID}/question`]: () => ({ json: { question: now } }),
        [`POST runs/${RUN}/confirm`]: ({ body }) => {
          now = question({ state: body.decision === "accept" ? "accepted" : "refused", ...by });
          return { status: 202, json: run({ status: "pending", finished_at: null }) };
        },
      },
    };
  };
  await state(base, "question", `#/index/${ID}/question`, (one) => one.getByRole("heading", { name: "Shall 620 pages leave" }).waitFor(), made, async (one, asked) => {
    await one.getByRole("button", { name: "Keep them" }).click();
    await one.getByText("signed in to the web page").waitFor();
    await sound(one, "question-refused");
    await phone(one, "question-refused");
    await one.getByRole("button", { name: "Let them go after all…" }).click();
    await one.getByRole("dialog").getByRole("button", { name: "Let them go" }).click();
    await one.getByRole("heading", { name: "620 pages may go" }).waitFor();
    await sound(one, "question-accepted");
    await one.getByRole("button", { name: "Keep them after all" }).click();
    await one.getByRole("heading", { name: "620 pages stay" }).waitFor();
    const decisions = asked.filter(({ method }) => method === "POST").map(({ body }) => body.decision);
    assert.deepEqual(decisions, ["refuse", "accept", "refuse"]);
  });
  step("the guard's question has its pages, and both answers a way back");
}

async function evaluations(base) {
  const figures = (mrr) => ({ questions: 81, hit_1: mrr - 0.1, hit_3: mrr, hit_10: mrr + 0.1, recall: mrr + 0.2, mrr, answer: null, p50_milliseconds: 1.2, p95_milliseconds: 14 });
  const results = Array.from({ length: 30 }, (_, n) => ({ at: at(-1440 * n), all: figures(0.7 - n / 100), kinds: { runbooks: figures(0.5), [LONG.slice(0, 60)]: figures(0.4) } }));
  const set = { questions: "- question: q\n  pages: [x]\n", schedule: "03:00 Europe/Berlin", set_at: at(-9000), waiting: false, next_at: at(600), ran_at: at(-1), error: null, unknown_pages: [LONG], missed: ["vacation days", LONG] };
  const made = (evaluation, items) => () => ({
    answers: {
      [`GET indexes/${ID}/evaluation`]: { json: { evaluation } },
      [`GET indexes/${ID}/evaluation/results`]: list(items),
      [`POST indexes/${ID}/evaluation`]: problem(422, "invalid_field", "A field is bad.", [{ field: "questions", message: "line 2: it is a list" }]),
      [`POST indexes/${ID}/evaluation/run`]: { status: 202, json: { ...set, waiting: true } },
    },
  });
  await state(base, "evaluation", `#/index/${ID}/evaluation`, (one) => one.getByRole("img", { name: /^MRR of 30 evaluations, from 0\.410 to 0\.700$/ }).waitFor(), made(set, results), async (one, asked) => {
    assert.equal(await one.locator("tbody tr").count(), 30);
    await one.getByText("Found no right page last time: 2").click();
    await one.getByText("vacation days").waitFor();
    await one.getByRole("button", { name: "Evaluate now", exact: true }).click();
    await one.getByText("Questions and time").click();
    await one.getByRole("button", { name: "Replace and evaluate now" }).click();
    await one.locator('.error[data-for="questions"]').filter({ hasText: "line 2" }).waitFor();
    await sound(one, "evaluation-open");
    const posted = asked.filter(({ method }) => method === "POST");
    assert.deepEqual(posted.map(({ path }) => path), [`indexes/${ID}/evaluation/run`, `indexes/${ID}/evaluation`]);
    assert.equal(posted[1].body.schedule, "03:00 Europe/Berlin");
  });
  await state(base, "evaluation-none", `#/index/${ID}/evaluation`, (one) => one.getByRole("button", { name: "Set and evaluate now" }).waitFor(), made(null, []));
  await state(base, "evaluation-failed", `#/index/${ID}/evaluation`, (one) => one.getByText("the store is down").waitFor(), made({ ...set, error: "the store is down" }, results.slice(0, 1)));
  step("an evaluation has its history, its misses and a way to change it");
}

async function missed(base) {
  const one = (values) => ({ id: "a".repeat(32), question: "vacation days?", times: 12, first_asked_at: at(-9000), last_asked_at: at(-20), found: "unknown_words", unknown_words: ["vacation"], ...values });
  let items = [one(), one({ id: "b".repeat(32), question: LONG, found: "nothing", unknown_words: [], times: 1 })];
  const made = () => ({
    answers: {
      [`GET indexes/${ID}/questions`]: () => ({ json: { items, next_cursor: null, kept_days: 30 } }),
      [`DELETE indexes/${ID}/questions/${"a".repeat(32)}`]: { status: 204 },
      [`DELETE indexes/${ID}/questions`]: () => {
        items = [];
        return { status: 204 };
      },
    },
  });
  await state(base, "questions", "#/ask", (page) => page.getByText("Kept for 30 days").waitFor(), made, async (page) => {
    assert.equal(await page.locator(".asked > li").count(), 2);
    await page.getByRole("button", { name: "Forget: vacation days?" }).click();
    await page.locator(".asked > li").nth(1).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Forget all questions" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Forget all" }).click();
    await page.getByText("No question that found little is kept.").waitFor();
  });
  const off = () => ({ answers: { [`GET indexes/${ID}/questions`]: { json: { items: [], next_cursor: null, kept_days: null } } } });
  await state(base, "questions-off", "#/ask", (page) => page.getByText("QUESTIONS_KEPT_DAYS").waitFor(), off);
  step("questions that found little are listed and forgotten");
}

async function runsOf(base) {
  const partial = run({ status: "partial", counts: { seen: 1204, uploaded: 30, deleted: 4, unchanged: 1168, failed: 2 }, error: { type: "", title: "", status: 500, code: "incomplete", detail: "comments: they are as they were", errors: [] } });
  const became = (change, values = {}) => ({ page_id: String(Math.random()).slice(2, 9), kind: "page", change, reason: null, title: `A page that was ${change}`, url: "https://site.example/wiki/x", state: "searchable", ...values });
  const items = [became("added", { title: LONG }), became("changed"), became("removed", { state: "removed", reason: "in the trash" }), became("failed", { state: "failed", reason: `the store says: ${LONG}` }), became("failed", { kind: "attachment", state: null, title: null })];
  const made = () => ({
    answers: {
      [`GET runs/${RUN}`]: { json: partial },
      [`GET runs/${RUN}/pages`]: ({ query }) => list(items.filter(({ change }) => !query.get("change") || change === query.get("change"))),
      [`POST indexes/${ID}/pages/${items[3].page_id}/retry`]: { status: 202, json: page({ state: "pending" }) },
    },
  });
  await state(base, "run-partial", `#/index/${ID}/runs/${RUN}`, (one) => one.locator(".changes > li").nth(4).waitFor(), made, async (one) => {
    await one.getByRole("button", { name: "Could not do (2)" }).click();
    await one.waitForFunction(() => document.querySelectorAll(".changes > li").length === 2);
    await one.getByRole("button", { name: /^Try/ }).click();
    await one.locator(".changes .badge", { hasText: "Waiting" }).waitFor();
  });
  const plan = { add: 12, update: 30, remove: 400, hide: 2, needs_confirmation: true, unchanged: 760, confluence_requests: 41, store_requests: 12, minutes: 1.25, cost: { product: "LlamaCloud Index", credits: 4210, credits_add: 210, credits_update: 4000, dollars: 4.21, prices_as_of: "2026-09-01", basis: "1 credit a page, 3 pages a document" } };
  const dry = () => ({ answers: { [`GET runs/${RUN}`]: { json: run({ dry_run: true, plan }) }, [`GET runs/${RUN}/pages`]: list(items.slice(0, 2)) } });
  await state(base, "dry-run-cost", `#/index/${ID}/runs/${RUN}`, (one) => one.getByText("4,210 credits ($4.21)").waitFor(), dry);
  step("a partial run can be tried again, a dry run says its cost");
}

async function pagesOf(base) {
  const states = ["pending", "uploaded", "searchable", "failed", "skipped", "vanishing", "removed"];
  const items = states.map((one, n) => page({ id: String(n), title: n === 3 ? LONG : `Page ${n}`, state: one, kind: n === 1 ? "attachment" : "page", reason: n > 2 ? `it is ${one}, since ${LONG}` : null, next_try_at: n === 3 ? at(12) : null, attempts: n === 3 ? 2 : 0, breadcrumb: [LONG] }));
  const made = () => ({
    answers: {
      [`GET indexes/${ID}/pages`]: ({ query }) => (query.get("cursor") ? list([page({ id: "99", title: "The last" })]) : list(items, "more")),
      [`GET indexes/${ID}/pages/3`]: { json: items[3] },
      [`GET indexes/${ID}/pages/3/markdown`]: problem(404, "not_found", "There is no page 3 that an answer may quote."),
    },
  });
  await state(base, "pages-states", `#/index/${ID}/pages`, (one) => one.locator(".pages > li").nth(6).waitFor(), made, async (one) => {
    await one.getByRole("button", { name: "Show more" }).click();
    await one.locator(".pages > li", { hasText: "The last" }).waitFor();
    assert.equal(await one.locator(".pages > li").count(), 8);
    await one.locator(".pages .name", { hasText: LONG }).click();
    await one.getByText("There is no page 3 that an answer may quote.").waitFor();
    await sound(one, "page-failed");
    await phone(one, "page-failed");
  });
  step("pages say why they stand as they do");
}

/// Text that would like to be more than text.
async function hostile(base) {
  const markdown = [
    "# <img src=x onerror=alert(1)>", "[press](javascript:alert(1)) ![p](https://evil.example/x.png) <script>alert(2)</script>",
    "| a | b |", "| --- | --- |", "| <b onclick=alert(3)>x</b> | [y](data:text/html,z) |", "", "- one", "  - two **bold** `code`", "    1. three", "- [x] done", "",
    "> quoted", "> > deeper", "", "```js", "</pre><script>alert(4)</script>", "```", "~~gone~~ *light* __strong__ snake_case_name 2 * 3 * 4 \\*plain\\*", "---", `${"> ".repeat(60)}deep`, `${"*".repeat(3000)}`, `${"[".repeat(2000)}`,
  ].join("\n");
  const made = () => ({
    answers: {
      [`GET indexes/${ID}/pages/1`]: { json: page({ id: "1", title: "<script>alert(0)</script>", url: "javascript:alert(5)" }) },
      [`GET indexes/${ID}/pages/1/markdown`]: { json: { page: page(), markdown } },
      [`GET indexes/${ID}/pages/1/passages`]: { json: { known: false, items: [] } },
    },
  });
  await state(base, "hostile", `#/index/${ID}/pages/1`, (one) => one.locator(".rendered del").waitFor(), made, async (one) => {
    const found = await one.evaluate(() => {
      const root = document.querySelector("#view");
      return {
        elements: [...root.querySelectorAll("script, img, iframe, style, object, b[onclick]")].length,
        handlers: [...root.querySelectorAll("*")].filter((e) => [...e.attributes].some(({ name }) => name.startsWith("on"))).length,
        links: [...root.querySelectorAll("a")].map((e) => e.href).filter((href) => !/^https?:/.test(href)),
        bold: root.querySelector(".rendered li li strong")?.textContent,
        third: root.querySelector(".rendered ul ul ol li")?.textContent,
        snake: root.querySelector(".rendered")?.textContent.includes("snake_case_name 2 * 3 * 4 *plain*"),
        cells: root.querySelectorAll(".rendered td").length,
      };
    });
    assert.deepEqual(found, { elements: 0, handlers: 0, links: [], bold: "bold", third: "three", snake: true, cells: 2 });
    await one.getByRole("button", { name: "Passages" }).click();
    await one.getByText("This store does not say how it cuts a page.").waitFor();
  });
  step("foreign text stays text");
}

async function tokensOf(base) {
  const token = (values) => ({ id: String(Math.random()), role: "agent", indexes: [ID], created_by: null, name: "librechat", prefix: "mcs_AbCdEf", created_at: at(-90_000), last_used_at: at(-2), expires_at: null, ...values });
  const made = () => ({
    answers: {
      [`GET indexes/${ID}/tokens`]: list([token({ name: LONG }), token({ expires_at: at(-5), last_used_at: null }), token({ expires_at: at(9000) }), token({ expires_at: at(90_000) })]),
      [`POST indexes/${ID}/tokens`]: problem(422, "invalid_field", "A field is wrong.", [{ field: "name", message: "must have 1 to 100 characters" }]),
    },
  });
  await state(base, "tokens", `#/index/${ID}/connect`, (one) => one.locator(".tokens > li").nth(3).waitFor(), made, async (one) => {
    await one.locator(".tokens .badge", { hasText: "Expired" }).waitFor();
    await one.locator(".tokens .badge", { hasText: "Expires soon" }).waitFor();
    await one.getByRole("button", { name: "Make a token" }).click();
    await one.locator('.error[data-for="name"]', { hasText: "1 to 100 characters" }).waitFor();
  });
  step("tokens say when they end");
}

async function people(base) {
  const key = (role, values) => ({ id: String(Math.random()), role, indexes: [], created_by: "the administrator (by the API key)", name: `A ${role}`, prefix: "mcs_AbCdEf", created_at: at(-90_000), last_used_at: at(-2), expires_at: null, ...values });
  const entry = (values) => ({ id: Math.random(), at: at(-3), actor: "Ann, editor (by a key)", token_id: null, address: "192.0.2.7", action: "change_index", outcome: "done", index_id: ID, subject: null, detail: { name: LONG }, ...values });
  const asked = (values) => entry({ kind: "question", actor: "chat, agent (by a key)", person: `${LONG}@example.org`, action: "search_confluence", detail: { question: LONG, pages: ["98312", "98313"], count: 120 }, ...values });
  const made = () => ({ answers: {
    "GET keys": list([key("administrator"), key("editor", { indexes: [ID], name: LONG }), key("reader", { expires_at: at(-5), last_used_at: null }), key("agent", { indexes: [ID, "gone"] })]),
    "GET people": { json: { mapped: {}, from_file: [], shown: 0, ambiguous: {}, unknown: [] } },
    "GET audit": ({ query }) => (query.get("kind") === "question" ? list([asked({}), asked({ index_id: null, person: null, detail: { pages: [], count: 0, indexes: [ID, "gone"] } })]) : query.get("cursor") ? list([entry({ action: "create_key", index_id: null, subject: "k1", detail: null })]) : list([entry(), entry({ outcome: "refused", action: "delete_index", actor: LONG })], "next")),
    "POST keys": problem(422, "invalid_field", "A field is wrong.", [{ field: "name", message: "must have 1 to 100 characters" }]),
  } });
  await state(base, "people", "#/people", (one) => one.locator(".audit > li").nth(1).waitFor(), made, async (one) => {
    await one.locator(".keys .badge", { hasText: "Expired" }).waitFor();
    await one.locator(".audit .badge", { hasText: "Refused" }).waitFor();
    await one.getByRole("button", { name: "Show more" }).click();
    await one.locator(".audit > li").nth(2).waitFor();
    await one.getByLabel("What", { exact: true }).selectOption("question");
    await one.locator(".audit > li", { hasText: "120 pages: 98312, 98313 and 118 more" }).waitFor();
    assert.equal(await one.getByRole("link", { name: "Export as JSON lines" }).getAttribute("href"), "api/audit/export?kind=question");
    await one.getByRole("button", { name: "Make a key" }).click();
    await one.locator('.error[data-for="name"]', { hasText: "1 to 100 characters" }).waitFor();
  });
  const reader = () => ({ answers: { "GET session": { json: { required: true, signed_in: true, role: "reader", name: "Rae" } } } });
  await state(base, "reader", `#/index/${ID}`, (one) => one.getByRole("link", { name: "Runs" }).waitFor(), reader, async (one) => {
    for (const hidden of ["Settings", "Connect", "Question", "People"]) assert.equal(await one.getByRole("link", { name: hidden }).count(), 0, hidden);
    assert.equal(await one.getByRole("button", { name: "Sync now" }).count(), 0);
  });
  step("keys, who did what, and what a reader sees");
}

/// Whose addresses are: all that is set is sent, as it stands by then and not as it stood when the page was opened.
async function addresses(base) {
  const mapped = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`person${n}@example.org`, `712020:${n}`]));
  mapped["ann@example.org"] = "557058:ann";
  const known = (values = {}) => ({
    mapped, from_file: ["person1@example.org"], shown: 3120, ambiguous: { "twin@example.org": ["712020:dan", `712020:${LONG}`] },
    unknown: [{ email: `${LONG}@example.org`.toLowerCase(), times: 3, last_asked_at: at(-4) }, { email: "eve@example.org", times: 1, last_asked_at: at(-40) }], ...values,
  });
  const later = { ...mapped, "late@example.org": "712020:late" };
  let looks = 0;
  const made = () => ({ answers: {
    "GET keys": list([]),
    "GET audit": list([]),
    "GET people": () => ({ json: (looks += 1) === 1 ? known() : known({ mapped: later }) }),
    "PUT people": ({ body }) => ("ann" in body.mapped
      ? problem(422, "invalid_field", "A field is wrong.", [{ field: "mapped", message: "each name must be an address of e-mail" }])
      : { json: known({ mapped: body.mapped }) }),
  } });
  await state(base, "addresses", "#/people", (one) => one.getByRole("list", { name: "Addresses set by hand" }).locator("li").nth(99).waitFor(), made, async (one, asked) => {
    await one.getByText("The first 100 of 121.").waitFor();
    await one.getByText("Confluence shows 3,120 addresses").waitFor();
    await one.getByRole("searchbox", { name: "Search addresses" }).fill("ANN");
    assert.equal(await one.getByRole("list", { name: "Addresses set by hand" }).locator("li").count(), 1);
    await one.getByRole("button", { name: "Say whose it is: eve@example.org" }).click();
    assert.equal(await one.getByLabel("Address", { exact: true }).inputValue(), "eve@example.org");
    await one.getByLabel("Account", { exact: true }).fill(" 712020:eve ");
    await one.keyboard.press("Enter");
    const put = () => asked.filter((each) => each.method === "PUT");
    await one.waitForFunction(() => document.activeElement.type === "email" && document.activeElement.value === "");
    assert.deepEqual(put()[0].body.mapped, { ...later, "eve@example.org": "712020:eve" });
    await one.getByRole("button", { name: "twin@example.org is 712020:dan" }).click();
    assert.equal(await one.getByLabel("Account", { exact: true }).inputValue(), "712020:dan");
    await one.getByLabel("Address", { exact: true }).fill("ann");
    await one.getByRole("button", { name: "Set", exact: true }).click();
    await one.locator('.error[data-for="mapped"]', { hasText: "must be an address" }).waitFor();
    await one.getByRole("button", { name: "Remove ann@example.org" }).click();
    await one.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await one.getByRole("list", { name: "Addresses set by hand" }).getByText("None.").waitFor();
    const { "ann@example.org": gone, ...rest } = later;
    assert.deepEqual([gone, put().at(-1).body.mapped], ["557058:ann", rest]);
  });
  step("addresses are set, taken away, and proposed for whom nobody knew");
}

/// An index that answers per person: whether somebody may read a page, and questions as somebody.
async function access(base) {
  const indexes = [index({ access: "per_user" }), index({ id: "01a222d2-36d0-7347-af7b-0d16ef984192", name: "Open", agent_id: "open", access: "everyone" })];
  const no = { allowed: false, reasons: ["the address is that of the account 712020:ann, as Confluence shows it", `the restriction of ${LONG} above it names neither the person nor a group that the person is in`], as_of: at(-70) };
  const made = () => ({ indexes, answers: {
    [`GET indexes/${ID}/access`]: ({ query }) => {
      if (query.get("page") === "7") return problem(404, "not_found", `There is no page 7 in index ${ID}.`);
      if (!query.get("user").includes("@")) return problem(422, "invalid_field", "A field is wrong.", [{ field: "user", message: "must be an address of e-mail" }]);
      return { json: query.get("user").startsWith("bob") ? { allowed: true, reasons: ["neither it nor anything above it is restricted"], as_of: null } : no };
    },
  } });
  await state(base, "access", `#/index/${ID}/access?user=ann%40example.org&page=98352`, (one) => one.locator(".explained .badge", { hasText: "No" }).waitFor(), made, async (one, asked) => {
    await one.getByText("was read 1 hour ago").waitFor();
    await one.getByLabel("Person's address").fill("bob@example.org");
    await one.getByLabel("Page", { exact: true }).fill("https://site.example/wiki/spaces/ENG/pages/4711/Roll+back#top");
    await one.keyboard.press("Enter");
    await one.locator(".explained .badge", { hasText: "Yes" }).waitFor();
    await one.getByText("None of these facts was ever read.").waitFor();
    const last = () => Object.fromEntries(asked.filter((each) => each.path.endsWith("/access")).at(-1).query);
    assert.deepEqual(last(), { user: "bob@example.org", page: "4711" });
    assert.match(one.url(), /access\?user=bob%40example.org&page=4711$/);
    await one.getByLabel("Page", { exact: true }).fill("7");
    await one.keyboard.press("Enter");
    await one.locator(".error", { hasText: "There is no page 7" }).waitFor();
    assert.equal(await one.locator(".explained").count(), 0);
    await one.getByLabel("Page", { exact: true }).fill("98352");
    await one.getByLabel("Person's address").fill("ann");
    await one.keyboard.press("Enter");
    await one.locator('.error[data-for="user"]', { hasText: "must be an address" }).waitFor();
  });
  await state(base, "access-none", `#/index/${indexes[1].id}`, (one) => one.getByRole("link", { name: "Runs" }).waitFor(), made, async (one) => {
    assert.equal(await one.getByRole("link", { name: "Access", exact: true }).count(), 0);
  });
  const found = { results: [], as_of: at(-8), stale: false, source: "index", diagnostics: { confidence: "none", unknown_words: [], missing_words: [], emptied_by: [], languages: [] } };
  const said = (id, result) => ({ headers: { "mcp-session-id": "s" }, json: { jsonrpc: "2.0", id, result } });
  const persons = [];
  const asks = () => ({ indexes, answers: { "POST indexes/agent/handbook/query": { json: found } } });
  await state(base, "ask-as", "#/ask", (one) => one.getByLabel("As", { exact: true }).waitFor(), asks, async (one) => {
    one.on("request", (request) => request.method() === "POST" && persons.push([new URL(request.url()).pathname, request.headers()["x-user-email"]]));
    await one.route(/\/mcp/, (route) => {
      const { id, method } = route.request().postDataJSON();
      return id === undefined ? route.fulfill({ status: 202 }) : route.fulfill(said(id, method === "initialize" ? {} : { content: [{ type: "text", text: "Nothing." }] }));
    });
    await one.getByLabel("Index").selectOption("open");
    assert.equal(await one.getByLabel("As", { exact: true }).isVisible(), false);
    await one.getByLabel("Index").selectOption("handbook");
    const ask = async (person) => {
      persons.length = 0;
      await one.getByLabel("As", { exact: true }).fill(person);
      await one.getByRole("searchbox", { name: "Question or keywords" }).fill(`for ${person}`);
      await one.keyboard.press("Enter");
      await one.getByRole("heading", { name: "0 hits" }).waitFor();
      await one.locator(".answers:not([aria-busy])").waitFor();
      return new Map(persons);
    };
    const plain = await ask("ann@example.org");
    assert.deepEqual([plain.get("/api/indexes/agent/handbook/query"), plain.get("/mcp")], ["ann@example.org", "ann@example.org"]);
    const packed = (await ask("\u017eofia@example.org")).get("/mcp");
    assert.equal(packed, `b64:${Buffer.from("\u017eofia@example.org").toString("base64")}`);
    assert.equal((await ask("")).get("/mcp"), undefined);
  });
  const reader = () => ({ ...asks(), answers: { "GET session": { json: { required: true, signed_in: true, role: "reader", name: "Rae" } } } });
  await state(base, "ask-reader", "#/ask?agent=handbook", (one) => one.getByText("Your key names nobody").waitFor(), reader, async (one) => {
    assert.equal(await one.getByLabel("As", { exact: true }).isVisible(), false);
  });
  const connects = () => ({ indexes, answers: { [`GET indexes/${ID}/tokens`]: list([]), [`POST indexes/${ID}/tokens`]: { status: 201, json: { id: "1", name: "librechat", token: "mcs_secret" } } } });
  await state(base, "connect-people", `#/index/${ID}/connect`, (one) => one.getByText("X-User-Email: \"{{LIBRECHAT_USER_EMAIL}}\"").waitFor(), connects, async (one, asked) => {
    await one.getByRole("button", { name: "Make a token" }).click();
    await one.locator(".secret code", { hasText: "mcs_secret" }).waitFor();
    assert.equal(asked.find((each) => each.method === "POST").body.speaks_for_others, true);
  });
  step("who may read what is explained, and an administrator asks as a person");
}

async function picker(base) {
  const spaces = Array.from({ length: 400 }, (_, n) => ({ id: String(n), key: n % 7 === 3 ? `~7120${n}` : `S${n}`, alias: null, name: n === 1 ? LONG : `Space number ${n}`, type: n % 7 === 3 ? "personal" : "global", archived: n % 10 === 9, url: "" }));
  const personal = spaces.filter((one) => one.type === "personal").length;
  const archived = spaces.filter((one) => one.archived && one.type !== "personal").length;
  const made = () => ({ answers: {
    "GET spaces": list(spaces),
    "POST indexes": problem(422, "invalid_field", "A field is wrong.", [{ field: "confluence_spaces", message: "must name 1 to 100 spaces" }, { field: "quiet_hours.from", message: "25:00 is no time of day" }, { field: "labels", message: "each entry must have 1 to 255 characters" }]),
  } });
  await state(base, "picker", "#/new", (one) => one.locator(".picker label").nth(99).waitFor(), made, async (one) => {
    const told = (text) => one.locator("fieldset").getByRole("status").filter({ hasText: text }).waitFor();
    const plain = 400 - personal - archived;
    await told(`0 spaces chosen · ${plain} of 400 shown`);
    await one.getByRole("button", { name: "Show 100 more" }).click();
    assert.equal(await one.locator(".picker label").count(), 200);
    await one.getByLabel("Archived").check();
    await told(`${plain + archived} of 400 shown`);
    await one.getByLabel("Personal").check();
    await told("400 of 400 shown");
    await one.getByRole("searchbox", { name: "Filter spaces" }).fill("~7120");
    await one.getByRole("button", { name: "Select all shown" }).click();
    await told(`${personal} spaces chosen`);
    await one.getByRole("searchbox", { name: "Filter spaces" }).fill("");
    await one.getByLabel("Only chosen").check();
    await told(`${personal} of 400 shown`);
    await one.getByRole("button", { name: "Select none" }).click();
    await told("0 spaces chosen");
    await one.getByRole("button", { name: "Create and sync" }).click();
    await one.locator('.error[data-for="confluence_spaces"]', { hasText: "1 to 100 spaces" }).waitFor();
    await one.locator('.error[data-for="labels"]', { hasText: "1 to 255" }).waitFor();
    await sound(one, "create-refused");
  });
  const lost = () => ({ indexes: [index({ confluence_spaces: ["S2", "OLD"], quiet_hours: { from: "22:00", to: "06:00", time_zone: "Europe/Berlin" }, labels: ["a", "b"] })], answers: { "GET spaces": list(spaces) } });
  await state(base, "settings-lost", `#/index/${ID}/settings`, (one) => one.getByText("not visible to the account").waitFor(), lost, async (one) => {
    await one.getByLabel("Only chosen").check();
    assert.equal(await one.locator(".picker label").count(), 2);
    assert.equal(await one.getByLabel("From").inputValue(), "22:00");
  });
  step("four hundred spaces are filtered and chosen");
}

async function refusals(base) {
  const down = problem(503, "engine_busy", "The database is busy: it is locked by another program.");
  const made = () => ({
    indexes: [index({ backend: "local", remote: { kind: "local", id: "1", name: "confluence-handbook" } })],
    answers: { "GET health": down, [`GET indexes/${ID}/pages`]: down, "GET runs": down, [`GET indexes/${ID}/tokens`]: down, "GET spaces": down, "GET doctor": down, "GET keys": down, "GET audit": down, [`GET indexes/${ID}/question`]: down, [`POST indexes/${ID}/sync`]: problem(409, "conflict", "the index has no store object yet: sync it first") },
  });
  const words = (one) => one.getByText("locked by another program").first().waitFor();
  for (const [name, hash] of [["overview", "#/"], ["pages", `#/index/${ID}/pages`], ["runs", `#/index/${ID}/runs`], ["connect", `#/index/${ID}/connect`], ["question", `#/index/${ID}/question`], ["settings", `#/index/${ID}/settings`], ["checks", "#/checks"], ["people", "#/people"]]) {
    const opened = await over(base, made());
    await opened.page.goto(`${base}/${hash}`);
    await words(opened.page);
    await sound(opened.page, `refused-${name}`);
    assert.deepEqual(opened.trouble, [], name);
    await opened.close();
  }
  const opened = await over(base, made());
  await opened.page.goto(`${base}/#/index/${ID}`);
  await opened.page.getByRole("button", { name: "Sync now" }).click();
  await opened.page.getByRole("alert").filter({ hasText: "sync it first" }).waitFor();
  await sound(opened.page, "refused-sync");
  await opened.close();
  step("what the service says against something stands beside it");
}
