// LibreChat's own schemas accept our configuration, and our API description as Actions: node librechat.mjs <base url> <librechat.yaml>
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const yaml = require("js-yaml");
const provider = require("librechat-data-provider");
const [base, file] = process.argv.slice(2);

const config = yaml.load(readFileSync(file, "utf8"));
const servers = provider.MCPServersSchema.safeParse(config.mcpServers);
assert.ok(servers.success, JSON.stringify(servers.error?.issues, null, 2));
assert.equal(config.mcpServers.confluence.type, "sse");
const whole = provider.configSchema.safeParse(config);
assert.ok(whole.success, JSON.stringify(whole.error?.issues, null, 2));
for (const name of Object.keys(config.mcpServers)) {
  for (const tool of ["search_confluence", "get_page", "list_spaces", "recent_changes"]) {
    assert.ok(`${tool}_mcp_${name}`.length <= 64, `${tool}_mcp_${name}`);
  }
}
console.log("ok   librechat.yaml");

const document = await (await fetch(`${base}/openapi.json`)).text();
const checked = provider.validateAndParseOpenAPISpec(document);
assert.ok(checked.status, checked.message);
const { functionSignatures, requestBuilders } = provider.openapiToFunction(checked.spec, true);
assert.ok(functionSignatures.length > 10);
assert.ok(requestBuilders.query_index, Object.keys(requestBuilders).join(", "));
for (const { name, description } of functionSignatures) {
  assert.match(name, /^[a-z][a-z0-9_]{2,40}$/);
  assert.ok(description, name);
}
console.log(`ok   OpenAPI document as Actions (${functionSignatures.length} functions)`);
