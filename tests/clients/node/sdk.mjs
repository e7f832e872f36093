// One real TypeScript client over one transport: node sdk.mjs <sdk-129|sdk-1|@modelcontextprotocol/client> <sse|http> <base url>
import assert from "node:assert/strict";

const [packageName, transportName, base] = process.argv.slice(2);
const label = `${packageName} over ${transportName}`;

async function load() {
  if (packageName === "@modelcontextprotocol/client") return import(packageName);
  const part = (path) => import(`${packageName}/client/${path}.js`);
  const [client, sse, http] = await Promise.all([part("index"), part("sse"), part("streamableHttp")]);
  return { ...client, ...sse, ...http };
}
const sdk = await load();

async function connect(query = "", options = {}) {
  const headers = { "X-User-Id": "u1" };
  const transport =
    transportName === "sse"
      ? new sdk.SSEClientTransport(new URL(`${base}/mcp/sse${query}`), {
          requestInit: { headers },
          eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...headers, Accept: "text/event-stream" } }) },
        })
      : new sdk.StreamableHTTPClientTransport(new URL(`${base}/mcp${query}`), { requestInit: { headers } });
  // What LibreChat says of itself.
  const client = new sdk.Client({ name: "@librechat/api-client", version: "1.2.3" }, { capabilities: {}, ...options });
  await client.connect(transport);
  return client;
}

const call = (client, name, args = {}) => client.callTool({ name, arguments: args });
const text = (result) => result.content.map((part) => part.text).join("\n\n");

async function exercise(client) {
  assert.match(client.getInstructions(), /Indexed spaces: [A-Z]+(, [A-Z]+)*\./);
  assert.equal(client.getServerVersion().name, "mcp-confluence");

  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name), ["search_confluence", "get_page", "list_spaces", "recent_changes"]);
  assert.ok(JSON.stringify({ tools }).length < 6000);
  assert.ok(tools.every((tool) => tool.annotations.readOnlyHint && !tool.annotations.destructiveHint));

  // The SDK itself checks structuredContent against outputSchema.
  const found = await call(client, "search_confluence", { query: "how do we roll back a release", limit: 5 });
  assert.ok(!found.isError, text(found));
  assert.match(text(found), /^\d+ passages?\b.* as of /);
  assert.match(text(found), /\]\(https?:\/\/[^)]+\)/);
  assert.ok(Buffer.byteLength(text(found)) < 20_000);
  const hit = found.structuredContent.results[0].page;

  for (const args of [{ page_id: hit.id }, { page_id: Number(hit.id) }, { url: hit.url }, { title: hit.title, space: hit.space_key }]) {
    const page = await call(client, "get_page", args);
    assert.ok(!page.isError, text(page));
    assert.equal(page.structuredContent.page.id, hit.id);
  }
  let cursor;
  let parts = 0;
  do {
    const page = await call(client, "get_page", { page_id: hit.id, max_chars: 400, ...(cursor ? { cursor } : {}) });
    assert.ok(!page.isError, text(page));
    cursor = page.structuredContent.next_cursor;
    parts += 1;
  } while (cursor && parts < 500);
  assert.ok(!cursor);

  const spaces = await call(client, "list_spaces");
  assert.ok(spaces.structuredContent.items.length > 0);
  assert.ok(!(await call(client, "recent_changes", { since: "1y" })).isError);

  const wrong = await call(client, "search_confluence", { query: "x", space: "NO_SUCH_SPACE" });
  assert.ok(wrong.isError && text(wrong).startsWith("Error: no space"), text(wrong));
  const missing = await call(client, "get_page", { page_id: "999999999999" });
  assert.ok(missing.isError && text(missing).includes("Tried: page id 999999999999"));
  await assert.rejects(call(client, "no_such_tool"), /Unknown tool/);

  const { resources } = await client.listResources();
  assert.ok(resources.length > 0);
  const read = await client.readResource({ uri: resources[0].uri });
  assert.match(read.contents[0].text, /<page-content page_id=/);
  assert.equal((await client.listResourceTemplates()).resourceTemplates[0].uriTemplate, "confluence://page/{id}");
  await assert.rejects(client.readResource({ uri: "confluence://page/999999999999" }));

  const { prompts } = await client.listPrompts();
  assert.deepEqual(prompts.map((prompt) => prompt.name), ["summarize_topic", "what_changed", "compare_pages"]);
  const prompt = await client.getPrompt({ name: "summarize_topic", arguments: { topic: "release" } });
  assert.ok(prompt.messages.length === 2 && prompt.messages[1].content.text.includes("passage"));
  await client.getPrompt({ name: "what_changed", arguments: {} });

  // Each of many calls at once gets its own answer.
  const asked = Array.from({ length: 20 }, (_, n) => `99999999${10 + n}`);
  const many = await Promise.all(asked.map((page_id) => call(client, "get_page", { page_id })));
  many.forEach((result, n) => assert.ok(text(result).includes(`page id ${asked[n]}`)));
}

const client = await connect();
await exercise(client);
await client.ping();
await client.close();

const ghost = await connect("?agent_id=ghost");
const told = await call(ghost, "search_confluence", { query: "x" });
assert.ok(told.isError && text(told).includes('no index for the agent id "ghost"'), text(told));
await ghost.close();

// The newest revision, where client and transport have it.
if (packageName === "@modelcontextprotocol/client" && transportName === "http") {
  const modern = await connect("", { versionNegotiation: { mode: "auto" } });
  await exercise(modern);
  await modern.close();
}
console.log(`ok   ${label}`);
process.exit(0);
