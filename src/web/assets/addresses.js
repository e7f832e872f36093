// Whose addresses of e-mail are, for indexes that answer per person: what was set by hand, who asked and was unknown, which addresses
// several accounts show.

import * as api from "./api.js";
import { action, attempt, complain, count, el, errorSlot, field, many, sure, time } from "./dom.js";

/// Rows that are shown at once; the rest is found by a part of the address.
const MOST = 100;

export function section() {
  const email = el("input", { type: "email", autocomplete: "off", spellcheck: "false", placeholder: "ann@example.org" });
  const account = el("input", { autocomplete: "off", spellcheck: "false", maxlength: 128, placeholder: "712020:0a1b…" });
  const submit = el("button", { class: "primary", type: "submit" }, "Set");
  const formSlot = errorSlot();
  const form = el("form", { class: "columns inline", novalidate: true, "aria-label": "Whose an address is", onsubmit: (event) => {
    event.preventDefault();
    attempt(submit, formSlot, set);
  } }, field("Address", email), field("Account", account, { hint: "Atlassian's account id: it ends the address of a profile." }), submit, errorSlot({ "data-for": "mapped" }), formSlot);
  const part = el("input", { type: "search", placeholder: "Addresses that contain…", "aria-label": "Search addresses", oninput: () => draw() });
  const list = el("ul", { class: "rows addresses", "aria-label": "Addresses set by hand" });
  const beyond = el("p", { class: "hint" });
  const shown = el("p", { class: "dim" });
  const several = el("div");
  const strangers = el("div");
  const slot = errorSlot();
  let people = { mapped: {}, from_file: [], shown: 0, ambiguous: {}, unknown: [] };

  /// Reads what is set before it changes it, since all of it is sent: somebody else may have changed it meanwhile.
  async function change(how) {
    const { mapped } = await api.people();
    how(mapped);
    people = await api.mapPeople(mapped);
    draw();
  }
  async function set() {
    complain(form, null);
    const address = email.value.trim().toLowerCase();
    try {
      await change((mapped) => (mapped[address] = account.value.trim()));
    } catch (error) {
      if (!complain(form, error)) throw error;
      return;
    }
    email.value = account.value = "";
    email.focus();
  }
  /// Puts an address into the form, with the account where that is known.
  function propose(address, whose = "") {
    email.value = address;
    account.value = whose;
    (whose ? submit : account).focus();
  }

  function draw() {
    const all = Object.entries(people.mapped).filter(([address]) => address.includes(part.value.trim().toLowerCase()));
    list.replaceChildren(...all.slice(0, MOST).map(([address, whose]) => {
      const [remove, removeSlot] = action("Remove", { class: "small danger", "aria-label": `Remove ${address}` }, async () => {
        if (!(await sure(`Forget whose ${address} is?`, "It counts again for whom Confluence shows it, if anybody.", "Remove"))) return;
        await change((mapped) => delete mapped[address]);
      });
      const last = people.from_file.includes(address) ? el("div", { class: "dim" }, "in the file of people") : el("div", { class: "actions" }, remove, removeSlot);
      return el("li", {}, el("div", {}, el("b", {}, address)), el("div", {}, el("code", {}, whose)), last);
    }));
    if (!all.length) list.append(el("li", { class: "dim" }, "None."));
    part.hidden = Object.keys(people.mapped).length <= 10;
    beyond.textContent = all.length > MOST ? `The first ${count(MOST)} of ${count(all.length)}.` : "";
    shown.textContent = `Confluence shows ${many(people.shown, "address", "addresses")} of members of groups by itself. What you set counts before that: for those who hide theirs, and where several accounts show one.`;
    several.replaceChildren(...rows("Shown by several accounts", "Each names nobody until you say whose it is.", Object.entries(people.ambiguous), ([address, accounts]) => [
      el("div", {}, el("b", {}, address)),
      el("div", { class: "actions" }, ...accounts.map((one) => el("button", { type: "button", class: "small", "aria-label": `${address} is ${one}`, onclick: () => propose(address, one) }, one)))]));
    strangers.replaceChildren(...rows("Asked, and unknown", "Since the service started. They are shown nothing, or what is open to all where UNKNOWN_PEOPLE says so.", people.unknown, (one) => [
      el("div", {}, el("b", {}, one.email)),
      el("div", { class: "dim" }, `${many(one.times, "time")}, last `, time(one.last_asked_at)),
      el("div", { class: "actions" }, el("button", { type: "button", class: "small", "aria-label": `Say whose it is: ${one.email}`, onclick: () => propose(one.email) }, "Say whose it is"))]));
  }

  async function look() {
    slot.textContent = "";
    try {
      people = await api.people();
      draw();
    } catch (error) {
      slot.textContent = error.message;
    }
  }
  look();
  return el("section", { "aria-labelledby": "addresses-title" },
    el("h2", { id: "addresses-title" }, "Addresses"),
    shown, form, part, list, beyond, slot, several, strangers);
}

function rows(title, about, items, row) {
  if (!items.length) return [];
  return [
    el("h3", {}, title),
    el("p", { class: "dim" }, about),
    el("ul", { class: "rows addresses", "aria-label": title }, ...items.slice(0, MOST).map((one) => el("li", {}, ...row(one)))),
    items.length > MOST ? el("p", { class: "hint" }, `The first ${count(MOST)} of ${count(items.length)}.`) : ""];
}
