// Tokens of an index, and the fragment for LibreChat with the real address.

import * as api from "./api.js";
import { action, attempt, checkbox, complain, copyButton, el, errorSlot, field, moment, sure, time } from "./dom.js";
import { badge, isPerUser } from "./words.js";

/// Days until a token ends by itself.
const LIVES = { 30: "30 days", 90: "90 days", 365: "a year", "": "never" };
const VARIABLE = "CONFLUENCE_SYNC_TOKEN";

/// Where a proxy put the page, with its prefix.
const here = () => new URL(".", location.href).href.replace(/\/$/, "");

export function show(root, index) {
  const address = el("input", { type: "url", value: here(), spellcheck: "false", oninput: () => draw() });
  const yaml = el("pre", { class: "raw", tabindex: "0", role: "region", "aria-label": "Fragment for librechat.yaml" });
  const env = el("pre", { class: "raw", tabindex: "0", role: "region", "aria-label": "Line for LibreChat's .env" });
  const about = el("p", { class: "hint" });
  let secret = null;
  const draw = () => {
    yaml.textContent = fragment(address.value.trim().replace(/\/+$/, "") || here(), isPerUser(index));
    env.textContent = `${VARIABLE}=${secret || "mcs_…"}`;
    about.textContent = secret
      ? "The token is shown only now: put this line into LibreChat's .env before you leave."
      : "Make a token first; its secret then stands here once.";
  };
  const shown = el("div", { class: "secret", role: "status" });
  const list = el("ul", { class: "rows tokens", "aria-label": "Tokens" });
  const slot = errorSlot();
  root.append(
    el("section", { "aria-labelledby": "tokens-title" },
      el("h2", { id: "tokens-title" }, "Tokens"),
      el("p", { class: "dim" }, "A token reads this index and nothing else. Its secret is shown once; what is kept is a hash."),
      form(index, (made) => {
        secret = made.token;
        shown.replaceChildren(el("p", {}, `The secret of “${made.name}”, shown only now:`), el("div", { class: "row" }, el("code", {}, made.token), copyButton(() => made.token)));
        draw();
        return look();
      }),
      shown, list, slot),
    el("section", { "aria-labelledby": "librechat-title" },
      el("h2", { id: "librechat-title" }, "LibreChat"),
      field("Address at which LibreChat reaches this service", address, { hint: "In Docker that is often the container's name, such as http://confluence-sync:8001 for example. Other clients of MCP take the same address, or /mcp for Streamable HTTP." }),
      el("div", { class: "toolbar" }, el("b", {}, "librechat.yaml"), copyButton(() => yaml.textContent)),
      yaml,
      el("div", { class: "toolbar" }, el("b", {}, ".env of LibreChat"), copyButton(() => env.textContent)),
      env, about));
  draw();

  async function look() {
    slot.textContent = "";
    try {
      const tokens = await api.tokens(index.id);
      list.replaceChildren(...tokens.map((token) => row(index, token, look)));
      if (!tokens.length) list.append(el("li", { class: "dim" }, "No token yet."));
    } catch (error) {
      slot.textContent = error.message;
    }
  }
  look();
  return { at: (rest) => rest.length === 0 };
}

function form(index, made) {
  const name = el("input", { value: "librechat", maxlength: 100, autocomplete: "off" });
  const life = el("select", {}, ...Object.entries(LIVES).map(([value, words]) => el("option", { value }, words)));
  life.value = "365";
  const [speaksField, speaks] = checkbox("Speaks for others", { checked: true, name: "speaks_for_others", hint: "The chat that has it may ask as anybody, by X-User-Email: give it to nobody else." });
  const slot = errorSlot();
  const submit = el("button", { class: "primary", type: "submit" }, "Make a token");
  const root = el("form", { class: "columns inline", novalidate: true, "aria-label": "New token", onsubmit: (event) => {
    event.preventDefault();
    attempt(submit, slot, async () => {
      complain(root, null);
      try {
        await made(await api.createToken(index.id, { name: name.value.trim(), expires_in_days: life.value ? Number(life.value) : null, ...(isPerUser(index) && { speaks_for_others: speaks.checked }) }));
      } catch (error) {
        if (!complain(root, error)) throw error;
      }
    });
  } }, field("Name", name, { name: "name" }), field("Expires after", life, { name: "expires_in_days" }), isPerUser(index) && speaksField, submit, slot);
  return root;
}

function row(index, token, look) {
  const over = token.expires_at && new Date(token.expires_at) <= Date.now();
  const soon = token.expires_at && !over && new Date(token.expires_at) - Date.now() < 14 * 86_400_000;
  const [revoke, slot] = action(over ? "Remove" : "Revoke", { class: "small danger", "aria-label": `${over ? "Remove" : "Revoke"} ${token.name}` }, async () => {
    const text = "Whoever uses it is refused within seconds; streams that it has open end.";
    if (!over && !(await sure(`Revoke “${token.name}”?`, text, "Revoke"))) return;
    await api.revokeToken(index.id, token.id);
    await look();
  });
  return el("li", {},
    el("div", {}, el("b", {}, token.name), " ", el("code", {}, `${token.prefix}…`)),
    el("div", { class: "dim" }, "made ", time(token.created_at), " · ", ...(token.last_used_at ? ["last used ", time(token.last_used_at)] : ["never used"])),
    el("div", {}, over ? badge(["Expired", "bad"]) : soon ? badge(["Expires soon", "warn"]) : "", " ",
      el("span", { class: "dim" }, token.expires_at ? `expires ${moment(token.expires_at)}` : "does not expire")),
    el("div", {}, revoke, slot));
}

/// For the address: LibreChat blocks private ones unless they are listed, as `host:port`.
function fragment(base, perUser) {
  let listed = "";
  try {
    const url = new URL(base);
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    if (isPrivate(url.hostname)) listed = `mcpSettings:\n  allowedAddresses:\n    - "${url.hostname}:${port}"\n`;
  } catch {
    listed = "# This is not an address.\n";
  }
  return `${listed}mcpServers:
  confluence:
    type: sse
    url: ${base}/mcp/sse
    requiresOAuth: false
    headers:
      Authorization: "Bearer \${${VARIABLE}}"
${perUser ? '      X-User-Email: "{{LIBRECHAT_USER_EMAIL}}"\n' : ""}    timeout: 60000
    serverInstructions: true
`;
}

/// As LibreChat sees it: loopback, private ranges, names without a domain or of a local one.
function isPrivate(host) {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (/^(10|127)\.|^192\.168\.|^169\.254\.|^172\.(1[6-9]|2\d|3[01])\./.test(name)) return true;
  if (name === "::1" || /^f[cd]|^fe[89ab]/.test(name)) return name.includes(":");
  return !name.includes(".") || /\.(local|internal|localhost|lan|home\.arpa)$/.test(name);
}
