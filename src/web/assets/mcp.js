// An agent of its own: asks the tools over MCP (Streamable HTTP) as LibreChat does, so that the answer is the one that a model gets.

import { Problem, personHeader } from "./api.js";

const VERSION = "2025-06-18";
/// One session for each agent, for as long as the page is open.
const sessions = new Map();
let last = 0;

function address(agent) {
  return agent ? `mcp?${new URLSearchParams({ agent_id: agent })}` : "mcp";
}

async function post(agent, session, message, person) {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", ...personHeader(person) };
  if (session) Object.assign(headers, { "mcp-session-id": session, "mcp-protocol-version": VERSION });
  let response;
  try {
    response = await fetch(address(agent), { method: "POST", headers, body: JSON.stringify(message), credentials: "same-origin" });
  } catch {
    throw new Problem(0, { detail: "The service cannot be reached. Is it running?" });
  }
  const text = await response.text();
  if (!response.ok) {
    let problem = {};
    try {
      problem = JSON.parse(text);
    } catch {
      // Its status says enough.
    }
    throw new Problem(response.status, { detail: problem.detail || problem.error?.message || `MCP answered ${response.status}.` });
  }
  return { text, session: response.headers.get("mcp-session-id") };
}

/// The answer to a request, in a body of JSON or of events.
function answer(text, id) {
  const parts = text.startsWith("{") ? [text] : text.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
  for (const part of parts) {
    try {
      const message = JSON.parse(part);
      if (message.id === id && (message.result || message.error)) return message;
    } catch {
      // A part without a message.
    }
  }
  throw new Problem(0, { detail: "MCP gave no answer." });
}

async function open(agent) {
  const id = ++last;
  const hello = { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: "mcp-confluence-page", version: "1" } };
  const { text, session } = await post(agent, null, { jsonrpc: "2.0", id, method: "initialize", params: hello });
  answer(text, id);
  await post(agent, session, { jsonrpc: "2.0", method: "notifications/initialized" });
  return session;
}

/// Calls a tool, for a person where one is named; answers `{ text, failed }` as the model gets it.
export async function call(agent, name, values, person) {
  const set = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  const ask = async () => {
    const session = sessions.get(agent) || (await open(agent));
    sessions.set(agent, session);
    const id = ++last;
    const { text } = await post(agent, session, { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: set } }, person);
    return answer(text, id);
  };
  let message;
  try {
    message = await ask();
  } catch (error) {
    // The session may have ended; a new one is as good.
    if (error.status !== 404 && error.status !== 400) throw error;
    sessions.delete(agent);
    message = await ask();
  }
  if (message.error) throw new Problem(0, { detail: message.error.message });
  const text = (message.result.content || []).map((part) => part.text).filter(Boolean).join("\n\n");
  return { text, failed: Boolean(message.result.isError) };
}
