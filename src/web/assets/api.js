// Calls of the REST API. Errors carry the problem that the service answered with.

export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The service answered ${status}.`);
    this.status = status;
    this.code = problem.code || "";
    this.fields = problem.errors || [];
  }
}

/// Who hears that the session is over.
let signedOut = () => {};
export const onSignedOut = (listener) => (signedOut = listener);

async function call(method, path, body, more = {}) {
  const options = { method, headers: { accept: "application/json", ...more }, credentials: "same-origin" };
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
  if (response.ok) return value;
  if (response.status === 401 && path !== "api/session") signedOut();
  throw new Problem(response.status, value || {});
}

const id = encodeURIComponent;
const indexAt = (one) => `api/indexes/${id(one)}`;

/// `?name=value&…` of what is set.
function query(values) {
  const set = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return set.length ? `?${new URLSearchParams(set)}` : "";
}

export const session = () => call("GET", "api/session");
export const signIn = (key) => call("POST", "api/session", { key });
export const signOut = () => call("DELETE", "api/session");

export const health = () => call("GET", "health");
export const doctor = () => call("GET", "api/doctor");
export const testNotice = () => call("POST", "api/notices/test");
export const spaces = () => call("GET", "api/spaces");

export const index = (one) => call("GET", indexAt(one));
export const createIndex = (fields) => call("POST", "api/indexes/", fields);
export const changeIndex = (one, fields) => call("PATCH", indexAt(one), fields);
export const deleteIndex = (one) => call("DELETE", indexAt(one));
export const sync = (one, order) => call("POST", `${indexAt(one)}/sync`, order);

export const runs = (values) => call("GET", `api/runs${query(values)}`);
export const run = (one) => call("GET", `api/runs/${id(one)}`);
export const runPages = (one, values) => call("GET", `api/runs/${id(one)}/pages${query(values)}`);
export const cancel = (one) => call("POST", `api/runs/${id(one)}/cancel`, {});
export const confirm = (one, decision) => call("POST", `api/runs/${id(one)}/confirm`, { decision });
export const question = async (one) => (await call("GET", `${indexAt(one)}/question`)).question;

export const pages = (one, values) => call("GET", `${indexAt(one)}/pages${query(values)}`);
const page = (one, which) => `${indexAt(one)}/pages/${id(which)}`;
export const onePage = (one, which) => call("GET", page(one, which));
export const markdown = (one, which) => call("GET", `${page(one, which)}/markdown`);
export const passages = (one, which) => call("GET", `${page(one, which)}/passages`);
export const retry = (one, which) => call("POST", `${page(one, which)}/retry`, {});

export const tokens = async (one) => (await call("GET", `${indexAt(one)}/tokens`)).items;
export const createToken = (one, fields) => call("POST", `${indexAt(one)}/tokens`, fields);
export const revokeToken = (one, token) => call("DELETE", `${indexAt(one)}/tokens/${id(token)}`);

export const keys = async () => (await call("GET", "api/keys")).items;
export const createKey = (fields) => call("POST", "api/keys", fields);
export const replaceKey = (one) => call("POST", `api/keys/${id(one)}/replace`, {});
export const admitPerson = (one) => call("POST", `api/keys/${id(one)}/admit`);
export const forgetPerson = (one) => call("DELETE", `api/keys/${id(one)}/person`);
export const revokeKey = (one) => call("DELETE", `api/keys/${id(one)}`);
export const auditExport = (values) => `api/audit/export${query(values)}`;
export const audit = (values) => call("GET", `api/audit${query(values)}`);
export const evaluation = async (one) => (await call("GET", `${indexAt(one)}/evaluation`)).evaluation;
export const setEvaluation = (one, fields) => call("POST", `${indexAt(one)}/evaluation`, fields);
export const runEvaluation = (one) => call("POST", `${indexAt(one)}/evaluation/run`);
export const deleteEvaluation = (one) => call("DELETE", `${indexAt(one)}/evaluation`);
export const evaluationResults = async (one) => (await call("GET", `${indexAt(one)}/evaluation/results`)).items;

export const questions = (one, values) => call("GET", `${indexAt(one)}/questions${query(values)}`);
export const forgetQuestion = (one, which) => call("DELETE", `${indexAt(one)}/questions/${id(which)}`);
export const forgetQuestions = (one) => call("DELETE", `${indexAt(one)}/questions`);

export const connection = () => call("GET", "api/confluence/oauth");
export const disconnect = () => call("DELETE", "api/confluence/oauth");

export const people = () => call("GET", "api/people");
export const mapPeople = (mapped) => call("PUT", "api/people", { mapped });
export const explainAccess = (one, values) => call("GET", `${indexAt(one)}/access?${new URLSearchParams(values)}`);

/// Names the person for whom a question is; a header holds no letter beyond Latin-1, so that the rest is packed as LibreChat does it.
export function personHeader(email) {
  if (!email) return {};
  const packed = () => `b64:${btoa(String.fromCharCode(...new TextEncoder().encode(email)))}`;
  return { "x-user-email": /^[ -~]*$/.test(email) ? email : packed() };
}
export const ask = (agent, fields, person) => call("POST", `api/indexes/agent/${id(agent)}/query`, fields, personHeader(person));
