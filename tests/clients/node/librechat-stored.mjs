// What LibreChat would store of our configuration and of our API as Actions, by its own models: node librechat-stored.mjs <base url>
// <librechat.yaml>. Nothing is stored: the models check documents without a database, which cannot be had here.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const yaml = require("js-yaml");
const mongoose = require("mongoose");
const provider = require("librechat-data-provider");
const { AppService, createModels } = require("@librechat/data-schemas");
const [base, file] = process.argv.slice(2);

mongoose.set("bufferCommands", false);
const { Action, Agent, MCPServer } = createModels(mongoose);
const somebody = new mongoose.Types.ObjectId();
// A model that does not know a field drops it without a word.
async function kept(Model, given) {
  const document = new Model(given);
  await document.validate();
  const stored = document.toObject();
  const bare = (value) => JSON.parse(JSON.stringify(value));
  for (const [name, value] of Object.entries(given)) assert.deepEqual(bare(stored[name]), bare(value), `${Model.modelName}.${name}`);
  return stored;
}

const config = yaml.load(readFileSync(file, "utf8"));
const app = await AppService({ config });
assert.deepEqual(app.mcpConfig, config.mcpServers);
assert.deepEqual(app.mcpSettings, config.mcpSettings);
assert.ok(app.interfaceConfig.mcpServers.use, "users may choose servers");
const names = Object.keys(config.mcpServers);
for (const name of names) {
  const stored = await kept(MCPServer, { serverName: name, config: config.mcpServers[name], author: somebody });
  assert.match(stored.normalizedServerName, /^[a-z0-9_-]+$/);
}
console.log(`ok   ${names.length} MCP servers, as LibreChat reads and stores them`);

const spec = await (await fetch(`${base}/openapi-tools.json`)).text();
const domain = new URL(JSON.parse(spec).servers[0].url).host;
const auth = { type: "service_http", authorization_type: "bearer" };
const metadata = { domain, raw_spec: spec, auth, api_key: "mcs_a-token", privacy_policy_url: `${base}/docs` };
await kept(Action, { user: somebody, action_id: "confluence", type: "action_prototype", metadata });
const { functionSignatures } = provider.openapiToFunction(JSON.parse(spec));
const encoded = Buffer.from(domain).toString("base64").slice(0, provider.Constants.ENCODED_DOMAIN_LENGTH);
const actions = functionSignatures.map(({ name }) => `${name}${provider.actionDelimiter}${encoded}`);
const tools = ["search_confluence", "get_page", "list_spaces", "recent_changes"]
  .flatMap((tool) => names.map((name) => `${tool}${provider.Constants.mcp_delimiter}${name}`));
for (const tool of [...actions, ...tools]) assert.ok(tool.length <= 64, `${tool}: longer than models take`);
await kept(Agent, { id: "agent_1", provider: "openAI", model: "any", tools: [...tools, ...actions], mcpServerNames: names, author: somebody });
console.log(`ok   an Action of ${actions.length} functions, and an agent with ${tools.length + actions.length} tools`);
