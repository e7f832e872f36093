// One index: how it stands, and what can be done with it, in views with addresses of their own.

import * as live from "./live.js";
import * as access from "./access.js";
import * as connect from "./connect.js";
import * as edit from "./edit.js";
import * as evaluation from "./evaluation.js";
import * as page from "./page.js";
import * as pages from "./pages.js";
import * as question from "./question.js";
import * as runs from "./runs.js";
import * as state from "./state.js";
import { el, replace } from "./dom.js";
import { ofIndex } from "./router.js";
import { indexBadge, isPerUser } from "./words.js";

const TABS = {
  "": ["State", state],
  pages: ["Pages", pages],
  runs: ["Runs", runs],
  question: ["Question", question, "editor"],
  access: ["Access", access, "editor"],
  evaluation: ["Quality", evaluation, "editor"],
  connect: ["Connect", connect, "editor"],
  settings: ["Settings", edit, "editor"],
};

export function show(root, [id, tab = "", ...rest], query) {
  const index = live.get(id);
  if (!index) {
    root.append(el("h1", {}, "There is no such index"), el("p", {}, "It was deleted, or the address is wrong. ", el("a", { href: "#/" }, "To the overview")));
    return { live: () => live.get(id) && dispatchEvent(new HashChangeEvent("hashchange")) };
  }
  const name = el("h1");
  const mark = el("span");
  const body = el("div", { class: "tab" });
  const nav = el("nav", { class: "tabs", "aria-label": "Views of the index" });
  root.append(
    el("p", { class: "trail" }, el("a", { href: "#/" }, "← Overview")),
    el("div", { class: "heading" }, name, mark),
    nav, body);

  function head() {
    const now = live.get(id);
    if (!now) {
      body.replaceChildren(el("p", { class: "empty" }, "This index was deleted. ", el("a", { href: "#/" }, "To the overview")));
      nav.hidden = true;
      return null;
    }
    if (name.textContent !== now.name) name.textContent = now.name;
    replace(mark, indexBadge(now));
    const asks = now.status === "needs_confirmation";
    // Where all are answered alike there is nothing to ask about one.
    const tabs = Object.entries(TABS).filter(([key]) => key !== "access" || isPerUser(now)).map(([key, [words, , role]]) =>
      el("a", { href: key ? ofIndex(id, key) : ofIndex(id), "data-for": role, "aria-current": key === tab ? "page" : null },
        words, key === "question" && asks && el("span", { class: "mark" }, "1", el("span", { class: "sr" }, " waits"))));
    replace(nav, ...tabs);
    return now;
  }
  head();
  const [, view] = tab === "pages" && rest.length ? [null, page] : TABS[tab] || TABS[""];
  const shown = view.show(body, index, rest, query) || {};
  return {
    live: () => {
      const now = head();
      if (now) shown.live?.(now);
    },
    at: (path, now) => path[0] === id && (path[1] || "") === tab && Boolean(shown.at?.(path.slice(2), now)),
    stop: () => shown.stop?.(),
  };
}
