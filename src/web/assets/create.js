// A new index.

import * as api from "./api.js";
import * as live from "./live.js";
import { attempt, complain, el, errorSlot, toast } from "./dom.js";
import { indexFields } from "./fields.js";
import { go } from "./router.js";

export function show(root) {
  const fields = indexFields(null);
  let touched = false;
  fields.agent.addEventListener("input", () => (touched = true));
  // An agent id from the name, until somebody types one.
  fields.name.addEventListener("input", () => {
    if (touched) return;
    const plain = fields.name.value.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
    fields.agent.value = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
  });
  const slot = errorSlot();
  const submit = el("button", { class: "primary", type: "submit" }, "Create and sync");
  const form = el("form", { novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    attempt(submit, slot, send);
  } }, fields.root, slot, el("div", { class: "actions" }, submit, el("a", { class: "button", href: "#/" }, "Cancel")));
  root.append(
    el("p", { class: "trail" }, el("a", { href: "#/" }, "← Overview")),
    el("h1", {}, "New index"),
    el("p", { class: "dim" }, "An index keeps the pages of some spaces current for one agent. Its first sync starts at once."),
    form);

  async function send() {
    complain(form, null);
    const wanted = Object.fromEntries(Object.entries(fields.value()).filter(([, value]) => value !== null));
    try {
      const made = await api.createIndex(wanted);
      live.applyIndex(made);
      toast(`“${made.name}” was created; its first sync is under way.`, "good");
      go(["index", made.id]);
    } catch (error) {
      const details = form.querySelector("details.further");
      if (error.fields?.some(({ field }) => details.querySelector(`[data-for="${CSS.escape(field)}"]`))) details.open = true;
      if (!complain(form, error)) throw error;
    }
  }
  return { at: () => true };
}
