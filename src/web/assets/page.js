// One page of an index: how it stands, its text as it is indexed, and the passages that the store made of it.

import * as api from "./api.js";
import { action, copyButton, count, el, facts, link, many, time } from "./dom.js";
import { rendered } from "./markdown.js";
import { amend, ofIndex, to } from "./router.js";
import { isPerUser, pageBadge } from "./words.js";

const VIEWS = { rendered: "Rendered", markdown: "Markdown", passages: "Passages" };

export function show(root, index, [id], query) {
  const head = el("div");
  const body = el("div", { class: "preview" });
  let chosen = query.view in VIEWS ? query.view : "rendered";
  const buttons = Object.entries(VIEWS).map(([key, words]) =>
    el("button", { type: "button", class: "small", "aria-pressed": String(key === chosen), onclick: (event) => {
      chosen = key;
      for (const button of buttons) button.setAttribute("aria-pressed", String(button === event.currentTarget));
      amend({ view: key });
      draw();
    } }, words));
  root.append(
    el("p", { class: "trail" }, el("a", { href: ofIndex(index.id, "pages") }, "← All pages")),
    head,
    el("div", { class: "toolbar", role: "group", "aria-label": "Show the text as" }, ...buttons),
    body);
  const loaded = {};
  const once = (key, load) => (loaded[key] ??= load());

  async function heading() {
    try {
      const page = await api.onePage(index.id, id);
      const parts = [];
      if (page.state === "failed" || page.next_try_at) {
        parts.push(...action("Try again", {}, async () => {
          await api.retry(index.id, id);
          await heading();
        }));
      }
      head.replaceChildren(
        el("h2", {}, page.title, " ", pageBadge(page.state)),
        page.reason ? el("p", { class: "reason" }, page.reason) : "",
        facts(
          ["In Confluence", link("open", page.url)],
          ["Place", [page.space_key, ...page.breadcrumb].join(" › ")],
          ["Version", String(page.version), ", ", time(page.last_modified)],
          ["Labels", page.labels.join(", ") || "none"],
          ["Id", el("code", {}, page.id)],
          page.attempts > 0 && ["Failed tries", count(page.attempts), page.next_try_at ? [", next ", time(page.next_try_at)] : ""]),
        isPerUser(index) ? el("p", { "data-for": "editor" }, el("a", { href: to(["index", index.id, "access"], { page: id }) }, "May somebody read it?")) : "",
        ...parts);
    } catch (error) {
      head.replaceChildren(el("p", { class: "error", role: "alert" }, error.message));
    }
  }

  async function draw() {
    const mine = chosen;
    body.setAttribute("aria-busy", "true");
    try {
      const content = await (mine === "passages" ? pieces() : text(mine));
      if (mine === chosen) body.replaceChildren(...content);
    } catch (error) {
      delete loaded[mine === "passages" ? "passages" : "text"];
      if (mine === chosen) body.replaceChildren(el("p", { class: "error", role: "alert" }, error.message));
    } finally {
      if (mine === chosen) body.removeAttribute("aria-busy");
    }
  }
  async function text(view) {
    const { markdown } = await once("text", () => api.markdown(index.id, id));
    if (!markdown.trim()) return [el("p", { class: "dim" }, "The page has no text.")];
    if (view === "rendered") return [el("article", { class: "card rendered" }, ...rendered(markdown))];
    return [
      el("div", { class: "toolbar" }, copyButton(() => markdown), el("span", { class: "dim" }, many(markdown.length, "character"))),
      el("pre", { class: "raw", tabindex: "0", role: "group", "aria-label": "Markdown" }, markdown)];
  }
  async function pieces() {
    const { known, items } = await once("passages", () => api.passages(index.id, id));
    if (!known) return [el("p", { class: "dim" }, "This store does not say how it cuts a page.")];
    return [
      el("p", { class: "dim" }, `${many(items.length, "passage")}; each is found by itself.`),
      el("ol", { class: "passages" }, ...items.map((piece, n) => el("li", { class: "card" },
        piece.headings.length ? el("p", { class: "dim" }, piece.headings.join(" › "), piece.anchor && [" ", el("code", {}, `#${piece.anchor}`)]) : "",
        el("pre", { class: "raw", tabindex: "0", role: "group", "aria-label": `Passage ${n + 1} of ${items.length}` }, piece.text))))];
  }
  heading();
  draw();
  return { at: (rest) => rest[0] === id };
}
