// Keys with a role, and who did what.

import * as api from "./api.js";
import { section as addresses } from "./addresses.js";
import * as live from "./live.js";
import { action, attempt, complain, copyButton, el, errorSlot, field, many, moment, paged, sure, time } from "./dom.js";
import { ofIndex } from "./router.js";
import { badge } from "./words.js";

const ROLES = {
  reader: ["Reader", "sees every index, changes nothing"],
  editor: ["Editor", "makes indexes, and looks after those"],
  administrator: ["Administrator", "does everything"],
  agent: ["Agent", "reads the indexes it was made for; no sign-in here"],
};
const KINDS = { change: "Changes", question: "Questions", "": "Both" };
const LIVES = { 30: "30 days", 90: "90 days", 365: "a year", "": "never" };

export function show(root) {
  const shown = el("div", { class: "secret", role: "status" });
  const list = el("ul", { class: "rows keys", "aria-label": "Keys" });
  const slot = errorSlot();
  const told = (made) => {
    shown.replaceChildren(el("p", {}, `The key of “${made.name}”, shown only now:`), el("div", { class: "row" }, el("code", {}, made.token), copyButton(() => made.token)));
    return look();
  };
  const kind = chooser(KINDS, "change");
  const person = el("input", { type: "email", autocomplete: "off", spellcheck: "false", placeholder: "ann@example.org" });
  const done = el("input", { autocomplete: "off", spellcheck: "false", placeholder: "get_page" });
  const asked = () => ({ kind: kind.value, person: person.value.trim(), action: done.value.trim().replaceAll(" ", "_") });
  const exported = el("a", { download: "audit.jsonl" }, "Export as JSON lines");
  const audit = paged((cursor) => api.audit({ ...asked(), limit: 50, cursor }), entry, { empty: "Nothing of that kind is kept.", label: "Who did what", className: "rows audit" });
  const filter = el("form", { class: "columns inline", novalidate: true, "aria-label": "Which entries", onsubmit: (event) => {
    event.preventDefault();
    choose();
  }, onchange: () => choose() },
    field("What", kind, { hint: "Questions are kept where AUDIT_QUESTIONS says so." }),
    field("Person", person), field("Action", done));
  root.append(
    el("h1", {}, "People"),
    el("section", { "aria-labelledby": "keys-title" },
      el("h2", { id: "keys-title" }, "Keys"),
      el("p", { class: "dim" }, "Give everyone a key of their own: it signs in to this page and to REST, and what is done with it stands below. What is kept is a hash. Tokens of agents are listed here too; make them where the index is connected."),
      form(told), shown, list, slot),
    addresses(),
    el("section", { "aria-labelledby": "audit-title" },
      el("div", { class: "heading" }, el("h2", { id: "audit-title" }, "Who did what"), el("span", { class: "gap" }),
        exported),
      filter, audit.root));

  function choose() {
    exported.href = api.auditExport(asked());
    return audit.restart();
  }

  async function look() {
    slot.textContent = "";
    try {
      const keys = await api.keys();
      list.replaceChildren(...keys.map((key) => row(key, look, told)));
      if (!keys.length) list.append(el("li", { class: "dim" }, "No key yet: everyone comes in by the first one (API_KEY)."));
    } catch (error) {
      slot.textContent = error.message;
    }
    await choose();
  }
  look();
  return { at: () => true };
}

function chooser(choices, value) {
  const select = el("select", {}, ...Object.entries(choices).map(([key, words]) => el("option", { value: key }, words)));
  select.value = value;
  return select;
}

function form(made) {
  const name = el("input", { maxlength: 100, autocomplete: "off" });
  const people = Object.entries(ROLES).filter(([role]) => role !== "agent");
  const role = chooser(Object.fromEntries(people.map(([key, [word, what]]) => [key, `${word}: ${what}`])), "reader");
  const life = chooser(LIVES, "365");
  const slot = errorSlot();
  const submit = el("button", { class: "primary", type: "submit" }, "Make a key");
  const root = el("form", { class: "columns inline", novalidate: true, "aria-label": "New key", onsubmit: (event) => {
    event.preventDefault();
    attempt(submit, slot, async () => {
      complain(root, null);
      try {
        await made(await api.createKey({ name: name.value.trim(), role: role.value, expires_in_days: life.value ? Number(life.value) : null }));
        name.value = "";
      } catch (error) {
        if (!complain(root, error)) throw error;
      }
    });
  } }, field("Whose key", name, { name: "name" }), field("Role", role, { name: "role" }), field("Expires after", life, { name: "expires_in_days" }), submit, slot);
  return root;
}

function row(key, look, told) {
  const over = key.expires_at && new Date(key.expires_at) <= Date.now();
  const [word, what] = ROLES[key.role] || [key.role, ""];
  const its = key.indexes.map((id) => live.get(id)?.name || id).join(", ");
  if (key.subject) return person(key, its || what, look);
  const [revoke, revokeSlot] = action(over ? "Remove" : "Revoke", { class: "small danger", "aria-label": `${over ? "Remove" : "Revoke"} the key of ${key.name}` }, async () => {
    const text = "Whoever uses it is refused within seconds, sessions of this page included.";
    if (!over && !(await sure(`Revoke the key of “${key.name}”?`, text, "Revoke"))) return;
    await api.revokeKey(key.id);
    await look();
  });
  const [replace, replaceSlot] = action("Replace", { class: "small", "aria-label": `Replace the key of ${key.name}`, title: "Makes a new one with the same rights; this one ends after a day" }, async () => {
    await told(await api.replaceKey(key.id));
  });
  return el("li", {},
    el("div", {}, el("b", {}, key.name), " ", el("code", {}, `${key.prefix}…`)),
    el("div", {}, badge([word, "idle"]), " ", el("span", { class: "dim" }, its || what)),
    el("div", { class: "dim" }, "made ", time(key.created_at), key.created_by ? ` by ${key.created_by}` : "", " · ",
      ...(key.last_used_at ? ["last used ", time(key.last_used_at)] : ["never used"])),
    el("div", {}, over ? badge(["Expired", "bad"]) : "", " ", el("span", { class: "dim" }, key.expires_at ? `expires ${moment(key.expires_at)}` : "does not expire")),
    el("div", { class: "actions" }, !over && replace, revoke, replaceSlot, revokeSlot));
}

/// Somebody who signs in at the issuer, which says what they may; here they can be kept out, and forgotten.
function person(key, what, look) {
  const out = Boolean(key.expires_at);
  const [change, slot] = out
    ? action("Let in again", { class: "small", "aria-label": `Let in again: ${key.name}` }, async () => {
        await api.admitPerson(key.id);
        await look();
      })
    : action("Revoke", { class: "small danger", "aria-label": `Revoke the access of ${key.name}` }, async () => {
        const text = "Sessions of this page end within seconds, and the issuer's word lets them in no longer, until you do.";
        if (!(await sure(`Keep “${key.name}” out?`, text, "Revoke"))) return;
        await api.revokeKey(key.id);
        await look();
      });
  const [forget, forgetSlot] = action("Forget", { class: "small danger", "aria-label": `Forget ${key.name}` }, async () => {
    const text = out
      ? "Name, address and identity at the issuer are deleted, and that they are kept out with them: if the issuer gives them a role, they can sign in again."
      : "Name, address and identity at the issuer are deleted, and what is open ends within seconds. Who signs in again is somebody new.";
    if (!(await sure(`Forget “${key.name}”?`, text, "Forget"))) return;
    await api.forgetPerson(key.id);
    await look();
  });
  return el("li", {},
    el("div", {}, el("b", {}, key.name), " ", key.email && key.email !== key.name ? el("span", { class: "dim" }, key.email) : ""),
    el("div", {}, badge([ROLES[key.role]?.[0] || key.role, "idle"]), " ", el("span", { class: "dim" }, what)),
    el("div", { class: "dim" }, "first signed in ", time(key.created_at), " · ", ...(key.last_used_at ? ["last seen ", time(key.last_used_at)] : ["not seen since"])),
    el("div", {}, out ? badge(["Kept out", "bad"]) : "", " ", el("span", { class: "dim" }, out ? `since ${moment(key.expires_at)}` : "signs in at the issuer")),
    el("div", { class: "actions" }, change, forget, slot, forgetSlot));
}

/// `change_index` as people read it.
const plain = (action) => action.replaceAll("_", " ");

const named = (index) => live.get(index)?.name || index;

function entry(one) {
  const of = one.index_id ? [one.index_id] : one.detail?.indexes || [];
  const as = one.person ? ` as ${one.person}` : "";
  return el("li", {},
    el("div", {}, el("b", {}, plain(one.action)), " ", one.outcome === "refused" ? badge(["Refused", "warn"]) : ""),
    el("div", {}, [of.map(named).join(", "), one.subject].filter(Boolean).join(" · ")),
    el("div", { class: "dim" }, one.actor, one.kind === "question" ? as : "", one.address ? ` from ${one.address}` : "", " · ", time(one.at)),
    one.kind === "question" ? question(one) : detail(one));
}

function detail({ detail }) {
  return detail && Object.keys(detail).length > 0 && el("div", { class: "dim" }, el("code", {}, JSON.stringify(detail)));
}

/// The words where they are kept, and the pages that were handed out: links, where one index holds them.
function question({ index_id: index, detail }) {
  const pages = detail.pages.map((page) => (index && live.get(index) ? el("a", { href: ofIndex(index, "pages", page) }, page) : page));
  const more = detail.count - pages.length;
  return el("div", { class: "dim" }, detail.question && el("div", {}, `“${detail.question}”`),
    el("div", {}, many(detail.count, "page"), pages.length ? ": " : "", ...pages.flatMap((page, at) => (at ? [", ", page] : [page])), more > 0 && ` and ${more} more`));
}
