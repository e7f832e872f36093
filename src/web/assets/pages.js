// The pages of an index: how each stands, and why one is not in it.

import * as api from "./api.js";
import { action, el, errorSlot, paged, time } from "./dom.js";
import { amend, ofIndex } from "./router.js";
import { pageBadge } from "./words.js";

const STATES = {
  "": "All",
  searchable: "Searchable",
  "pending,uploaded": "Waiting or sent",
  failed: "Failed",
  skipped: "Left out",
  vanishing: "Hidden",
  removed: "Removed",
};

export function show(root, index, _, query) {
  const title = el("input", { type: "search", placeholder: "Titles that contain…", "aria-label": "Search titles", value: query.title || "", oninput: () => later() });
  const state = el("select", { "aria-label": "State", onchange: look }, ...Object.entries(STATES).map(([value, words]) => el("option", { value }, words)));
  state.value = query.state in STATES ? query.state : "";
  const space = el("select", { "aria-label": "Space", onchange: look },
    el("option", { value: "" }, "All spaces"),
    ...index.spaces.map((one) => el("option", { value: one.current_key || one.key }, `${one.current_key || one.key} ${one.name || ""}`)));
  if ([...space.options].some((option) => option.value === query.space)) space.value = query.space;
  const chosen = () => ({ title: title.value.trim(), state: state.value, space: space.value });
  const list = paged(
    (cursor) => api.pages(index.id, { ...chosen(), limit: 50, cursor }),
    (page) => row(index, page),
    { empty: "No page fits.", label: "Pages", className: "rows pages" });
  root.append(el("div", { class: "toolbar", role: "search" }, title, state, space), list.root);
  let timer = null;
  function later() {
    clearTimeout(timer);
    timer = setTimeout(look, 250);
  }
  function look() {
    amend(chosen());
    list.restart();
  }
  list.restart();
  return { stop: () => clearTimeout(timer) };
}

function row(index, page) {
  const mark = el("span", {}, pageBadge(page.state));
  const parts = [];
  if (page.state === "failed" || page.next_try_at) {
    const [retry, slot] = action("Try again", { class: "small", "aria-label": `Try again: ${page.title}` }, async () => {
      const now = await api.retry(index.id, page.id);
      mark.replaceChildren(pageBadge(now.state));
      retry.remove();
    });
    parts.push(retry, slot);
  } else {
    parts.push(errorSlot());
  }
  return el("li", {},
    el("div", {}, el("a", { class: "name", href: ofIndex(index.id, "pages", page.id) }, page.title), page.kind !== "page" && el("span", { class: "dim" }, ` ${page.kind}`)),
    el("div", {}, mark, " ", ...parts),
    el("div", { class: "dim" }, [page.space_key, ...page.breadcrumb].join(" › ")),
    el("div", { class: "dim" }, `version ${page.version}, `, time(page.last_modified)),
    page.reason ? el("div", { class: "reason" }, page.reason, page.next_try_at && [" Next try ", time(page.next_try_at), "."]) : null);
}
