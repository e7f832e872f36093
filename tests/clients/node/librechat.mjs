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

const described = await (await fetch(`${base}/openapi-tools.json`)).json();
const checked = provider.validateAndParseOpenAPISpec(JSON.stringify(described));
assert.ok(checked.status, checked.message);
const { functionSignatures, requestBuilders, zodSchemas } = provider.openapiToFunction(checked.spec, true);
assert.ok(functionSignatures.length > 10);
assert.ok(requestBuilders.query_index, Object.keys(requestBuilders).join(", "));
const domain = new URL(described.servers[0].url);
assert.ok(provider.validateActionDomain(domain.origin, described.servers[0].url).isValid);

// What the document says that an operation takes, read by hand: a reference is followed wherever it stands.
function resolved(schema) {
  if (Array.isArray(schema)) return schema.map(resolved);
  if (!schema || typeof schema !== "object") return schema;
  const { $ref, ...beside } = schema;
  const named = $ref ? $ref.slice(2).split("/").reduce((at, key) => at[key], described) : {};
  return Object.fromEntries(Object.entries({ ...named, ...beside }).map(([key, value]) => [key, resolved(value)]));
}
// Whether a zod schema knows as much as a JSON schema says: kinds, words, bounds, fields, what is required.
function knows(zod, schema, at) {
  let of = zod;
  while (of._def.typeName === "ZodOptional") of = of._def.innerType;
  const kind = { string: "ZodString", integer: "ZodNumber", number: "ZodNumber", boolean: "ZodBoolean", array: "ZodArray", object: "ZodObject" }[schema.type];
  assert.equal(of._def.typeName, schema.enum ? "ZodEnum" : kind, `${at}: ${JSON.stringify(schema)}`);
  if (schema.enum) assert.deepEqual(of._def.values, schema.enum, at);
  if (schema.type === "integer") {
    const bound = (name) => of._def.checks.find((check) => check.kind === name)?.value;
    assert.deepEqual([bound("min"), bound("max")], [schema.minimum, schema.maximum], at);
  }
  if (schema.type === "array") knows(of._def.type, schema.items, `${at}[]`);
  if (schema.type === "object") {
    const shape = of._def.shape();
    assert.deepEqual(Object.keys(shape).sort(), Object.keys(schema.properties).sort(), at);
    for (const [name, part] of Object.entries(schema.properties)) {
      assert.equal(shape[name].isOptional(), !(schema.required ?? []).includes(name), `${at}.${name}`);
      knows(shape[name], part, `${at}.${name}`);
    }
  }
}
let checkedFunctions = 0;
for (const methods of Object.values(described.paths)) {
  for (const operation of Object.values(methods)) {
    const found = functionSignatures.find(({ name }) => name === operation.operationId);
    assert.ok(found?.description, operation.operationId);
    assert.match(found.name, /^[a-z][a-z0-9_]{2,40}$/);
    const body = resolved(operation.requestBody?.content["application/json"].schema ?? {});
    const properties = Object.fromEntries((operation.parameters ?? []).map(({ name, schema }) => [name, resolved(schema)]));
    Object.assign(properties, body.properties);
    const required = (operation.parameters ?? []).filter((parameter) => parameter.required).map(({ name }) => name);
    assert.deepEqual(found.parameters, { type: "object", properties, required: [...required, ...(body.required ?? [])] }, found.name);
    assert.ok(!JSON.stringify(found.parameters).match(/\$ref|oneOf|anyOf|"null"/), found.name);
    if (Object.keys(properties).length > 0) knows(zodSchemas[found.name], found.parameters, found.name);
    checkedFunctions += 1;
  }
}
assert.equal(checkedFunctions, functionSignatures.length);
assert.ok(functionSignatures.every(({ name }) => !name.startsWith("watch_")));
console.log(`ok   OpenAPI document as Actions (${checkedFunctions} functions, each with all that the document says)`);

// And one is carried out as LibreChat would.
const agent = (await (await fetch(`${base}/api/indexes/`)).json()).items[0].agent_id;
const executor = requestBuilders.query_index.createExecutor();
const answered = await executor.setParams({ agent_id: agent, query: "release", top_k: 2, filters: {} }).execute();
assert.equal(answered.status, 200);
assert.ok(answered.data.results.length > 0);
console.log("ok   an Action that asks a question");
