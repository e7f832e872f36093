// The picker of spaces: every space that the account sees, with filters for archived and personal ones.

import * as api from "./api.js";
import { count, el, errorSlot, many } from "./dom.js";

/// Rows that are shown at once.
const WINDOW = 100;

let known = null;

/// Every visible space, asked for once a visit and again on demand.
async function every() {
  known ??= (await api.spaces()).items;
  return known;
}

export function spacePicker(chosenKeys) {
  const chosen = new Set(chosenKeys);
  let all = [];
  let room = WINDOW;
  let loaded = false;
  const redraw = () => {
    room = WINDOW;
    draw();
  };
  const search = el("input", { type: "search", placeholder: "Filter by key or name…", "aria-label": "Filter spaces", oninput: redraw });
  const flag = (words) => {
    const box = el("input", { type: "checkbox", onchange: redraw });
    return [el("label", { class: "check" }, box, el("span", {}, words)), box];
  };
  const [archivedLabel, archived] = flag("Archived");
  const [personalLabel, personal] = flag("Personal");
  const [onlyLabel, only] = flag("Only chosen");
  const list = el("div", { class: "picker", role: "group", "aria-label": "Spaces", tabindex: "0" });
  const told = el("span", { class: "dim", role: "status" });
  const more = el("button", { type: "button", class: "small", hidden: true, onclick: () => { room += WINDOW; draw(); } }, "Show more");
  const selectAll = el("button", { type: "button", class: "small", onclick: () => { for (const space of fitting()) chosen.add(keyOf(space)); draw(); } }, "Select all shown");
  const selectNone = el("button", { type: "button", class: "small", onclick: () => { for (const space of fitting()) chosen.delete(keyOf(space)); draw(); } }, "Select none");
  const trouble = errorSlot();
  const again = el("button", { type: "button", class: "small", hidden: true, onclick: () => { known = null; load(); } }, "Ask again");
  const slot = errorSlot({ "data-for": "confluence_spaces" });
  const typed = el("input", { placeholder: "ENG, HR", autocomplete: "off", spellcheck: "false", "aria-label": "Further keys, separated by commas" });

  /// A renamed or given key stays as it was given.
  function keyOf(space) {
    const same = (key) => [space.key, space.alias].filter(Boolean).some((one) => one.toLowerCase() === key.toLowerCase());
    return [...chosen].find(same) || space.key;
  }
  function fitting() {
    const words = search.value.trim().toLowerCase();
    return all.filter((space) => {
      if (only.checked && !chosen.has(keyOf(space))) return false;
      const picked = chosen.has(keyOf(space));
      if (space.archived && !archived.checked && !picked) return false;
      if (space.type === "personal" && !personal.checked && !picked) return false;
      return !words || `${space.key} ${space.alias || ""} ${space.name}`.toLowerCase().includes(words);
    });
  }
  function draw() {
    const fit = fitting();
    const unseen = [...chosen].filter((key) => loaded && !all.some((space) => keyOf(space) === key));
    const rows = fit.slice(0, room).map((space) => row(keyOf(space), space.alias || space.key, space.name, [space.archived && "archived", space.type === "personal" && "personal"]));
    const lost = unseen.map((key) => row(key, key, "", ["not visible to the account"]));
    const focused = list.contains(document.activeElement) ? document.activeElement.value : null;
    list.replaceChildren(...lost, ...rows);
    if (focused !== null) list.querySelector(`input[value="${CSS.escape(focused)}"]`)?.focus();
    if (!rows.length && !lost.length) list.append(el("p", { class: "dim" }, loaded ? "No space fits." : "Looking for spaces…"));
    more.hidden = fit.length <= room;
    more.textContent = `Show ${count(Math.min(WINDOW, fit.length - room))} more`;
    const hidden = all.length - fit.length;
    told.textContent = `${many(chosen.size, "space")} chosen · ${count(fit.length)} of ${count(all.length)} shown${hidden && !search.value ? ", archived and personal ones on request" : ""}`;
  }
  function row(key, shown, name, marks) {
    const box = el("input", { type: "checkbox", value: key, checked: chosen.has(key), onchange: () => { if (box.checked) chosen.add(key); else chosen.delete(key); draw(); } });
    return el("label", {}, box, el("b", {}, shown), el("span", {}, name), ...marks.filter(Boolean).map((mark) => el("span", { class: "dim" }, mark)));
  }
  async function load() {
    trouble.textContent = "";
    again.hidden = true;
    try {
      all = await every();
      loaded = true;
    } catch (error) {
      trouble.textContent = `The spaces cannot be listed: ${error.message}`;
      again.hidden = false;
    }
    draw();
  }
  draw();
  load();
  const root = el("fieldset", { class: "field", "data-field": "confluence_spaces", tabindex: "-1" },
    el("legend", {}, "Spaces"),
    el("div", { class: "toolbar" }, search, archivedLabel, personalLabel, onlyLabel),
    list,
    el("div", { class: "toolbar" }, selectAll, selectNone, more, again, told),
    el("div", { class: "row" }, el("span", { class: "hint" }, "or type keys:"), typed),
    trouble, slot);
  const value = () => [...new Set([...chosen, ...typed.value.split(/[\s,]+/).filter(Boolean)])];
  return { root, value };
}
