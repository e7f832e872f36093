// Users of one LibreChat at the same time, on an index that answers each with what that user may read in Confluence:
// node librechat-people.mjs <base url> <administrator's key> <librechat.yaml> <what the simulator printed: who may read what>
//
// LibreChat's own here are the schema that reads the entry, the filling in of variables of its .env, and the SDK with its version, as it
// uses it: a connection for each user, whose headers are filled in anew before each call. What fills in `{{LIBRECHAT_USER_…}}` is in its
// packages/api, which npm does not have; `forUser` says its rule (utils/env.ts of v0.8.5: processUserPlaceholders, encodeHeaderValue).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Client } from "sdk-129/client/index.js";
import { SSEClientTransport } from "sdk-129/client/sse.js";
import { StreamableHTTPClientTransport } from "sdk-129/client/streamableHttp.js";

const require = createRequire(import.meta.url);
const yaml = require("js-yaml");
const provider = require("librechat-data-provider");
const [base, key, file, printed] = process.argv.slice(2);

const truth = new Map();
for (const [, email, titles] of readFileSync(printed, "utf8").matchAll(/^MAY_READ (\S+) (.*)$/gm)) truth.set(email, new Set(titles.split(",")));
assert.equal(truth.size, 3);
const distinct = new Set([...truth.values()].map((titles) => [...titles].sort().join()));
assert.equal(distinct.size, 3, "no two may read the same");

async function rest(method, path, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(`${base}${path}`, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}
async function until(what, look) {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const found = await look().catch(() => null);
    if (found) return found;
  }
  throw new Error(`it was in vain to wait until ${what}`);
}

await until("the service is ready", async () => (await fetch(`${base}/health/ready`)).ok);
const made = await rest("POST", "/api/indexes/", { name: "People", agent_id: "people", confluence_spaces: ["ENG", "OPS"], access: "per_user" });
await until("the index has synced", async () => (await rest("GET", `/api/indexes/${made.id}`)).last_run?.status === "succeeded");
const pages = (await rest("GET", `/api/indexes/${made.id}/pages?limit=100`)).items;
assert.deepEqual(new Set(pages.map(({ title }) => title)), new Set([...truth.values()].flatMap((titles) => [...titles])));
const token = (await rest("POST", `/api/indexes/${made.id}/tokens`, { name: "librechat", speaks_for_others: true })).token;

// The entry as our librechat.yaml has it, with the header that its comment names.
const written = yaml.load(readFileSync(file, "utf8")).mcpServers;
const servers = Object.fromEntries(["confluence", "confluence_http"].map((name) => {
  const { url, ...entry } = written[name];
  return [name, { ...entry, url: `${base}${new URL(url).pathname}`, headers: { ...entry.headers, "X-User-Email": "{{LIBRECHAT_USER_EMAIL}}" } }];
}));
const checked = provider.MCPServersSchema.safeParse(servers);
assert.ok(checked.success, JSON.stringify(checked.error?.issues, null, 2));
process.env.CONFLUENCE_SYNC_TOKEN = token;

function forUser(template, user) {
  const filled = provider.extractEnvVariable(template);
  const inHeader = (value) => (/[^\u0000-\u00ff]/.test(value) ? `b64:${Buffer.from(value, "utf8").toString("base64")}` : value);
  return filled.replaceAll("{{LIBRECHAT_USER_EMAIL}}", inHeader(user.email ?? ""));
}
const headersOf = (server, user) => Object.fromEntries(Object.entries(server.headers).map(([name, value]) => [name, forUser(value, user)]));

/// A connection for one user; `as` fills its headers in for another call.
async function connect(server, user) {
  let headers = headersOf(server, user);
  const send = (url, init = {}) => {
    const all = new Headers(init.headers);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    return fetch(url, { ...init, headers: all });
  };
  const url = new URL(server.url);
  const transport = server.type === "sse" ? new SSEClientTransport(url, { fetch: send, eventSourceInit: { fetch: send } }) : new StreamableHTTPClientTransport(url, { fetch: send });
  const client = new Client({ name: "@librechat/api-client", version: "1.2.3" }, { capabilities: {} });
  await client.connect(transport);
  const call = async (name, args) => {
    let said = await client.callTool({ name, arguments: args });
    // All users of one token share what it may ask in a second.
    while (said.isError && said.content[0].text.includes("ask too often")) {
      await new Promise((wake) => setTimeout(wake, 1000));
      said = await client.callTool({ name, arguments: args });
    }
    return { failed: Boolean(said.isError), text: said.content.map(({ text }) => text).join("\n\n"), all: JSON.stringify(said) };
  };
  return { call, as: (other) => (headers = headersOf(server, other)), close: () => client.close() };
}

const titlesIn = (text) => new Set(pages.map(({ title }) => title).filter((title) => text.includes(title)));
const NOBODY = new Set();

/// All that the tools tell a user, against what the simulated Confluence lets that user read.
async function sees({ call }, email, round) {
  const may = truth.get(email) || NOBODY;
  const mine = pages[round % pages.length];
  const found = await call("search_confluence", { query: "zebra", limit: 30 });
  const told = titlesIn(found.all);
  assert.ok([...told].every((title) => may.has(title)), `${email}: ${found.text}`);
  // Home pages tell of no zebra.
  assert.deepEqual([...told].filter((title) => !title.endsWith("Home")).sort(), [...may].filter((title) => !title.endsWith("Home")).sort(), `${email}: ${found.text}`);
  const page = await call("get_page", { page_id: mine.id });
  if (may.has(mine.title)) {
    assert.ok(!page.failed && page.text.includes(mine.title), `${email}: ${page.text}`);
  } else {
    // As a page that was never there, word by word.
    const never = await call("get_page", { page_id: "999999999" });
    assert.ok(page.failed, `${email} reads ${mine.title}: ${page.text}`);
    assert.equal(page.all.replaceAll(mine.id, "ID"), never.all.replaceAll("999999999", "ID"), email);
  }
  for (const [tool, args] of [["recent_changes", { since: "2020-01-01" }], ["list_spaces", {}]]) {
    const said = await call(tool, args);
    assert.ok([...titlesIn(said.all)].every((title) => may.has(title)), `${email} ${tool}: ${said.text}`);
  }
}

const users = [...truth.keys()].map((email) => ({ email }));
// One whom LibreChat knows without an address, and one whom Confluence does not know.
users.push({ email: undefined }, { email: "nobody@example.org" });

for (const server of Object.values(servers)) {
  const open = await Promise.all(users.map(async (user) => ({ user, connection: await connect(server, user) })));
  // All at once, each again and again.
  await Promise.all(open.map(async ({ user, connection }) => {
    for (let round = 0; round < pages.length; round += 1) await sees(connection, user.email, round);
  }));
  await Promise.all(open.map(({ connection }) => connection.close()));
  console.log(`ok   ${server.type}: ${users.length} users at once, ${pages.length} rounds, each with answers of its own`);

  // One connection with other headers for each call: whoever opened it, the call is for the user whom it names.
  const shared = await connect(server, users[0]);
  for (let round = 0; round < 2 * users.length; round += 1) {
    const user = users[round % users.length];
    shared.as(user);
    await sees(shared, user.email, round);
  }
  await shared.close();
  console.log(`ok   ${server.type}: users who share a connection get nothing of each other`);

  // A token that does not speak for others opens what is for nobody in particular: nothing.
  const { token: plain } = await rest("POST", `/api/indexes/${made.id}/tokens`, { name: "plain" });
  process.env.CONFLUENCE_SYNC_TOKEN = plain;
  const forged = await connect(server, users[0]);
  const found = await forged.call("search_confluence", { query: "zebra", limit: 30 });
  assert.deepEqual(titlesIn(found.all), NOBODY, found.text);
  await forged.close();
  process.env.CONFLUENCE_SYNC_TOKEN = token;
}
console.log("ok   a token that may not speak for others forges nobody");
