// The settings of an index: only what was changed is sent.

import * as api from "./api.js";
import * as live from "./live.js";
import { attempt, complain, el, errorSlot, toast } from "./dom.js";
import { indexFields } from "./fields.js";

export function show(root, index) {
  const fields = indexFields(index);
  const slot = errorSlot();
  const said = el("p", { class: "dim", role: "status" });
  const submit = el("button", { class: "primary", type: "submit" }, "Save changes");
  const form = el("form", { novalidate: true, "aria-label": "Settings", onsubmit: (event) => {
    event.preventDefault();
    attempt(submit, slot, send);
  } }, fields.root, slot, el("div", { class: "actions" }, submit, said));
  root.append(form);
  let before = fields.value();

  async function send() {
    complain(form, null);
    const wanted = fields.value();
    const same = (key) => JSON.stringify(wanted[key]) === JSON.stringify(before[key]);
    const patch = Object.fromEntries(Object.entries(wanted).filter(([key]) => !same(key)));
    if (!Object.keys(patch).length) {
      said.textContent = "Nothing was changed.";
      return;
    }
    try {
      live.applyIndex(await api.changeIndex(index.id, patch));
    } catch (error) {
      said.textContent = "";
      if (!complain(form, error)) throw error;
      return;
    }
    before = wanted;
    said.textContent = "";
    const scope = ["confluence_spaces", "labels", "exclude_labels", "root_page_ids", "restricted_pages", "access", "include_blog_posts", "include_comments", "include_attachments"];
    toast(scope.some((key) => key in patch) ? "Saved. What leaves or enters by this does so with the next sync." : "Saved.", "good");
  }
  return { at: (rest) => rest.length === 0 };
}
