// An agent that is connected by the fragment of the page: the few of its lines are read by themselves, so that nothing but what
// stands there leads to the service.

/// Searches over HTTP with SSE as `librechat.yaml` and `.env` say; answers the text.
export async function tools(yaml, env) {
  const url = yaml.match(/^ {4}url: (\S+)$/m)[1];
  const [name, secret] = env.trim().split("=");
  const authorization = yaml.match(/Authorization: "(.*)"$/m)[1].replace(`\${${name}}`, secret);
  const ends = new AbortController();
  try {
    const stream = await fetch(url, { headers: { accept: "text/event-stream", authorization }, signal: ends.signal });
    if (!stream.ok) throw new Error(`the stream answered ${stream.status}`);
    const events = read(stream.body);
    const first = (await events.next()).value;
    const post = (message) => fetch(new URL(first.data, url), { method: "POST", headers: { "content-type": "application/json", authorization }, body: JSON.stringify({ jsonrpc: "2.0", ...message }) });
    const ask = async (id, method, params) => {
      await post({ id, method, params });
      for (;;) {
        const message = JSON.parse((await events.next()).value.data);
        if (message.id === id) return message.result;
      }
    };
    await ask(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "fragment", version: "1" } });
    await post({ method: "notifications/initialized" });
    const found = await ask(2, "tools/call", { name: "search_confluence", arguments: { query: "roll back a release" } });
    return found.content.map((part) => part.text).join("\n");
  } finally {
    ends.abort();
  }
}

async function* read(body) {
  let rest = "";
  for await (const bytes of body.pipeThrough(new TextDecoderStream())) {
    rest += bytes;
    const parts = rest.split(/\r?\n\r?\n/);
    rest = parts.pop();
    for (const part of parts) {
      const data = part.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      if (data) yield { data };
    }
  }
}
