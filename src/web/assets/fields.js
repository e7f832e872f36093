// The fields of an index: one form for a new one and for changes. It holds everything that the service lets one set.

import { checkbox, el, field } from "./dom.js";
import { spacePicker } from "./spaces.js";
import { STORE } from "./words.js";

const text = (value, attributes = {}) => el("input", { value: value ?? "", autocomplete: "off", ...attributes });
const list = (input) => input.value.split(",").map((part) => part.trim()).filter(Boolean);
const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/// `given`: the settings as they are; null for a new index, which leaves to the service what is not filled in.
export function indexFields(given) {
  const name = text(given?.name, { required: true, maxlength: 255, placeholder: "Engineering handbook" });
  const agent = text(given?.agent_id, { required: true, maxlength: 128, placeholder: "engineering", spellcheck: "false" });
  const spaces = spacePicker(given?.confluence_spaces || []);
  const interval = text(given?.interval_minutes, { type: "number", min: 1, inputmode: "numeric", placeholder: "the service's own" });
  const backend = el("select", {},
    !given && el("option", { value: "" }, "the service's own"),
    ...Object.entries(STORE).map(([key, words]) => el("option", { value: key }, words)));
  backend.value = given?.backend || "";
  const restricted = el("select", {},
    el("option", { value: "skip" }, "leave them out"),
    el("option", { value: "include" }, "include them: whoever asks may read what only some may read in Confluence"));
  restricted.value = given?.restricted_pages || "skip";
  const access = el("select", {},
    el("option", { value: "everyone" }, "everyone who may ask, the same"),
    el("option", { value: "per_user" }, "each person, with what that person may read in Confluence"),
    el("option", { value: "per_user_checked" }, "each person, and Confluence is asked about each page of an answer"));
  access.value = given?.access || "everyone";
  const [quietField, quiet] = checkbox("Quiet hours of its own", { checked: Boolean(given?.quiet_hours), hint: "No scheduled run starts in these hours; without its own, those of the service hold." });
  const from = text(given?.quiet_hours?.from || "22:00", { type: "time" });
  const to = text(given?.quiet_hours?.to || "06:00", { type: "time" });
  const timeZone = text(given?.quiet_hours?.time_zone || zone(), { placeholder: "Europe/Berlin", spellcheck: "false" });
  const hours = el("div", { class: "columns" }, field("From", from, { name: "quiet_hours.from" }), field("To", to, { name: "quiet_hours.to" }), field("Time zone", timeZone, { name: "quiet_hours" }));
  const showHours = () => (hours.hidden = !quiet.checked);
  quiet.addEventListener("change", showHours);
  showHours();
  const [blogsField, blogs] = checkbox("Blog posts", { checked: given?.include_blog_posts, name: "include_blog_posts" });
  const [commentsField, comments] = checkbox("Comments", { checked: given?.include_comments, name: "include_comments", hint: "Below each page's text. Costs 2 requests a poll; a sweep 2, and 1 for every 200 comments of a space." });
  const [filesField, files] = checkbox("Attached files", { checked: given?.include_attachments, name: "include_attachments", hint: "As documents of their own, where they hold text. Costs 1 request a poll; a sweep 1, and 1 for every 200 files; a download for each new one." });
  const labels = text(given?.labels.join(", "), { placeholder: "runbook, how-to", spellcheck: "false" });
  const without = text(given?.exclude_labels.join(", "), { placeholder: "draft", spellcheck: "false" });
  const roots = text(given?.root_page_ids.join(", "), { placeholder: "98312", spellcheck: "false" });

  const choices = el("div", { class: "form-part" },
    el("fieldset", { class: "field" }, el("legend", {}, "Beside pages"), blogsField, commentsField, filesField),
    el("div", { class: "columns" },
      field("Only pages with a label of", labels, { name: "labels", hint: "Separated by commas; empty: all." }),
      field("No page with a label of", without, { name: "exclude_labels", hint: "Separated by commas." }),
      field("Only below these pages", roots, { name: "root_page_ids", hint: "Ids of pages; empty: all." })),
    el("div", { class: "columns" },
      field("Pages whose reading is restricted", restricted, { name: "restricted_pages", hint: "Without meaning where each person is answered: then they are indexed, and shown to those who may read them." }),
      field("Whom it answers", access, { name: "access", hint: "A person is named by the chat (X-User-Email), with a token that may speak for others." })));
  const times = el("div", { class: "form-part" },
    el("div", { class: "columns" },
      field("Minutes between runs", interval, { name: "interval_minutes" }),
      field("Store", backend, { name: "backend", hint: given ? "Another one begins a move: the present store answers until the other is complete." : null })),
    quietField, hours);
  const root = el("div", { class: "form" },
    el("div", { class: "columns" },
      field("Name", name, { name: "name" }),
      field("Agent id", agent, { name: "agent_id", hint: given ? "Clients that name the old id find nothing after a change." : "Letters, digits, _ and -; the agent asks under this id." })),
    spaces.root, times,
    given ? choices : el("details", { class: "further" }, el("summary", {}, "What is indexed, in detail"), choices));

  /// What the form says, in the words of REST.
  function value() {
    return {
      name: name.value.trim(),
      agent_id: agent.value.trim(),
      confluence_spaces: spaces.value(),
      interval_minutes: interval.value === "" ? null : Number(interval.value),
      backend: backend.value || null,
      quiet_hours: quiet.checked ? { from: from.value, to: to.value, time_zone: timeZone.value.trim() } : null,
      include_blog_posts: blogs.checked,
      include_comments: comments.checked,
      include_attachments: files.checked,
      labels: list(labels),
      exclude_labels: list(without),
      root_page_ids: list(roots),
      restricted_pages: restricted.value,
      access: access.value,
    };
  }
  return { root, value, name, agent };
}
