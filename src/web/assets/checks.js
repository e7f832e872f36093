// What `doctor` checks, on the page.

import * as api from "./api.js";
import { action, el, errorSlot, facts, moment, sure, time } from "./dom.js";
import { CHECK, CONNECTION, badge } from "./words.js";

let account = null;
/// What the last check of this visit found out: asking costs requests to Confluence, so that nobody does by the way.
export const known = () => ({ account });

/// How Confluence is connected, where that is by OAuth.
function connection() {
  const root = el("section", { hidden: true, "aria-labelledby": "connection-title" });
  const slot = errorSlot();
  const fill = async () => {
    try {
      // Where an API token is used there is nothing to ask for.
      const { confluence } = await api.health();
      root.hidden = !confluence?.connection;
      if (root.hidden) return;
      const now = await api.connection();
      const is = now.state === "connected";
      const [forget, forgetSlot] = action("Disconnect", { class: "small danger", "data-for": "administrator", hidden: now.state === "missing" }, async () => {
        if (!(await sure("Disconnect Confluence?", "Nothing is read from Confluence until somebody connects again. What is indexed stays.", "Disconnect"))) return;
        await api.disconnect();
        await fill();
      });
      root.replaceChildren(
        el("div", { class: "heading" }, el("h2", { id: "connection-title" }, "Confluence by OAuth"), badge(CONNECTION[now.state] || [now.state, "idle"])),
        now.trouble ? el("p", { class: "error", role: "alert" }, now.trouble) : "",
        now.site ? facts(
          ["Site", now.site],
          ["Connected", `by ${now.connected_by}, `, time(now.connected_at)],
          ["Access token", `until ${moment(now.access_ends_at)}; the next is got before`],
          ["Scopes", now.scopes.join(", ")],
        ) : el("p", { class: "dim" }, "Nobody has connected Confluence yet. Atlassian asks you to consent as the account whose eyes the service is to have."),
        el("div", { class: "actions" },
          el("a", { class: is ? "button" : "button primary", href: "api/confluence/oauth/authorize", "data-for": "administrator" }, is ? "Connect again" : "Connect Confluence"),
          forget),
        forgetSlot, slot);
    } catch (error) {
      root.hidden = false;
      root.replaceChildren(slot);
      slot.textContent = error.message;
    }
  };
  fill();
  return root;
}

export function show(root) {
  const list = el("ul", { class: "rows checks", "aria-label": "Checks" });
  const told = el("p", { class: "dim", role: "status" });
  const [again, slot] = action("Check again", {}, look);
  const arrived = el("p", { class: "dim", role: "status" });
  const [test, testSlot] = action("Send a test notice", {}, async () => {
    arrived.textContent = "Sending…";
    try {
      const { delivered, reason } = await api.testNotice();
      arrived.textContent = delivered ? "The test notice was taken." : `The test notice was not taken: ${reason}.`;
    } catch (error) {
      arrived.textContent = "";
      throw error;
    }
  });
  root.append(
    el("h1", {}, "Checks"),
    el("p", { class: "dim" }, "Settings, disk, network, database, Confluence with every scope that the indexes need, and the stores. This asks Confluence and the stores for one item of a kind, and changes nothing."),
    el("div", { class: "actions" }, again),
    slot, told, list, connection(),
    el("h2", {}, "Notices"),
    el("p", { class: "dim" }, "Where trouble is told (NOTIFY_WEBHOOK_URL): a test says whether it arrives."),
    el("div", { class: "actions" }, test),
    testSlot, arrived);

  async function look() {
    told.textContent = "Checking…";
    list.setAttribute("aria-busy", "true");
    try {
      const { items } = await api.doctor();
      const of = (outcome) => items.filter((item) => item.outcome === outcome);
      const [bad, odd, good] = [of("failed"), of("warning"), of("ok")];
      const confluence = items.find((item) => item.what === "Confluence");
      account = confluence?.outcome === "ok" ? confluence.said.replace(/^answers /, "") : null;
      // What is wrong stands first.
      list.replaceChildren(...[...bad, ...odd, ...good].map(({ what, outcome, said }) =>
        el("li", {}, el("b", {}, what), badge(CHECK[outcome] || [outcome, "idle"]), el("span", {}, said))));
      const found = [bad.length && `${bad.length} found something wrong`, odd.length && `${odd.length} found something to look at`].filter(Boolean);
      told.textContent = found.length ? `Of ${items.length} checks ${found.join(", ")}.` : `All ${items.length} checks are good.`;
    } catch (error) {
      told.textContent = "";
      throw error;
    } finally {
      list.removeAttribute("aria-busy");
    }
  }
  again.click();
  return { at: () => true };
}
