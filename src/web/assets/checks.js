// What `doctor` checks, on the page.

import * as api from "./api.js";
import { action, el } from "./dom.js";
import { CHECK, badge } from "./words.js";

let account = null;
/// What the last check of this visit found out: asking costs requests to Confluence, so that nobody does by the way.
export const known = () => ({ account });

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
    slot, told, list,
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
