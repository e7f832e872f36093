// Whether a person may read a page of an index that answers per person, and why: for whoever is asked about it.

import * as api from "./api.js";
import { attempt, complain, el, errorSlot, field, isAdministrator, time } from "./dom.js";
import { amend } from "./router.js";
import { badge } from "./words.js";

/// The id in an address of Confluence; anything else as it stands.
export function pageIn(text) {
  const given = text.trim();
  const found = given.match(/\/(?:pages|blog|folder)\/(?:edit-v2\/)?(\d+)/) || given.match(/[?&]pageId=(\d+)/);
  return found ? found[1] : given;
}

export function show(root, index, _, query) {
  const user = el("input", { type: "email", value: query.user || "", autocomplete: "off", spellcheck: "false", placeholder: "ann@example.org" });
  const page = el("input", { value: query.page || "", autocomplete: "off", spellcheck: "false", placeholder: "98312, or the page's address" });
  const submit = el("button", { class: "primary", type: "submit" }, "Look");
  const slot = errorSlot();
  const told = el("div", { "aria-live": "polite" });
  const form = el("form", { class: "columns inline", novalidate: true, "aria-label": "May this person read it?", onsubmit: (event) => {
    event.preventDefault();
    attempt(submit, slot, look);
  } }, field("Person's address", user, { name: "user" }), field("Page", page, { name: "page" }), submit, slot);
  root.append(
    el("h2", {}, "May this person read it?"),
    el("p", { class: "dim" }, "As the last sync read it from Confluence, and as an answer would be made now."),
    form, told);

  async function look() {
    complain(form, null);
    const asked = { user: user.value.trim(), page: pageIn(page.value) };
    amend(asked);
    told.replaceChildren();
    try {
      told.replaceChildren(explained(await api.explainAccess(index.id, asked)));
    } catch (error) {
      if (!complain(form, error)) throw error;
    }
  }
  if (query.user && query.page) submit.click();
  return { at: (rest) => rest.length === 0 };
}

function explained({ allowed, reasons, as_of }) {
  return el("div", { class: "card explained" },
    el("p", {}, badge(allowed ? ["Yes", "good"] : ["No", "bad"]), " ", allowed ? "An answer may hold it." : "No answer holds it."),
    el("ul", { "aria-label": "Reasons" }, ...reasons.map((reason) => el("li", {}, reason))),
    el("p", { class: "dim" }, ...(as_of ? ["The oldest of these facts was read ", time(as_of), "."] : ["None of these facts was ever read."]),
      isAdministrator() && [" Whose an address is, you say in ", el("a", { href: "#/people" }, "People"), "."]));
}
