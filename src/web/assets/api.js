// Calls of the REST API. Errors carry the problem that the service answered with.

export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The service answered ${status}.`);
    this.status = status;
    this.code = problem.code || "";
    this.fields = problem.errors || [];
  }
}

async function call(method, path, body) {
  const options = { method, headers: { accept: "application/json" }, credentials: "same-origin" };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem(0, { detail: "The service cannot be reached. Is it running?" });
  }
  const text = await response.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    value = null;
  }
  if (!response.ok) throw new Problem(response.status, value || {});
  return value;
}

const id = encodeURIComponent;

export const session = () => call("GET", "api/session");
export const signIn = (key) => call("POST", "api/session", { key });
export const signOut = () => call("DELETE", "api/session");
export const spaces = () => call("GET", "api/spaces");
export const createIndex = (index) => call("POST", "api/indexes/", index);
export const deleteIndex = (index) => call("DELETE", `api/indexes/${id(index)}`);
export const sync = (index, order) => call("POST", `api/indexes/${id(index)}/sync`, order);
export const cancel = (run) => call("POST", `api/runs/${id(run)}/cancel`, {});
export const confirm = (run, decision) => call("POST", `api/runs/${id(run)}/confirm`, { decision });
export const failedPages = (index) => call("GET", `api/indexes/${id(index)}/pages?state=failed&limit=20`);
export const query = (agent, words, topK) => call("POST", `api/indexes/agent/${id(agent)}/query`, { query: words, top_k: topK });
