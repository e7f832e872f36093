// Making elements. Text is always text: nothing of a page or an answer is ever read as HTML.

export const $ = (selector) => document.querySelector(selector);

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

/// Puts children in place of those that are there, unless nothing changed: what is read or selected stays.
export function replace(element, ...children) {
  const fresh = el("div", {}, ...children);
  if (fresh.innerHTML !== element.innerHTML) element.replaceChildren(...fresh.childNodes);
}

/// A link only where the address is one of the web; else just the words.
export function link(text, url) {
  let safe = null;
  try {
    const parsed = new URL(url);
    if (parsed.protocol === "https:" || parsed.protocol === "http:") safe = parsed.href;
  } catch {
    safe = null;
  }
  return safe ? el("a", { href: safe, target: "_blank", rel: "noopener noreferrer" }, text) : el("span", {}, text);
}

export function toast(text, kind = "info") {
  const note = el("div", { class: `toast ${kind}` }, text);
  $("#toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}

/// A place beside a control for what the service says against it.
export const errorSlot = (attributes = {}) => el("p", { class: "error", role: "alert", ...attributes });

/// Whether what administrators alone are told is asked for at all.
export const isAdministrator = () => !["reader", "editor"].includes(document.body.dataset.role);

/// Does the work of a button; what goes wrong stands beside it, in the words of the service.
export async function attempt(button, slot, work) {
  button.disabled = true;
  slot.textContent = "";
  try {
    return await work();
  } catch (error) {
    slot.textContent = error.message;
    return undefined;
  } finally {
    button.disabled = false;
  }
}

/// A button that changes something, with a slot for its errors: `[button, slot]`. Who only reads is not shown it.
export function action(words, attributes, work) {
  const slot = errorSlot();
  const button = el("button", { type: "button", "data-for": "editor", ...attributes, onclick: () => attempt(button, slot, work) }, words);
  return [button, slot];
}

/// Asks before something that cannot be undone.
export function sure(title, text, yes) {
  const dialog = $("#sure");
  $("#sure-title").textContent = title;
  $("#sure-text").textContent = text;
  $("#sure-yes").textContent = yes;
  return new Promise((resolve) => {
    const done = (answer) => () => dialog.close(answer);
    $("#sure-no").onclick = done("no");
    $("#sure-yes").onclick = done("yes");
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.returnValue = "no";
    dialog.showModal();
  });
}

export function copyButton(text, words = "Copy") {
  return el("button", {
    type: "button",
    class: "small",
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(text());
        toast("Copied.", "good");
      } catch {
        toast("The browser does not allow copying; select the text instead.", "bad");
      }
    },
  }, words);
}

let named = 0;
/// A field with its label, hint and place for errors; `name` is the field's in REST.
export function field(label, control, { name, hint } = {}) {
  const key = `f${++named}`;
  control.id = key;
  const about = [];
  const parts = [el("label", { for: key }, label), control];
  if (hint) {
    about.push(`${key}h`);
    parts.push(el("p", { class: "hint", id: `${key}h` }, hint));
  }
  if (name) {
    about.push(`${key}e`);
    parts.push(errorSlot({ id: `${key}e`, "data-for": name }));
    control.dataset.field = name;
  }
  if (about.length) control.setAttribute("aria-describedby", about.join(" "));
  return el("div", { class: "field" }, ...parts);
}

/// A box with its words beside it.
export function checkbox(label, { checked = false, name, hint, onchange } = {}) {
  const key = `f${++named}`;
  const box = el("input", { type: "checkbox", id: key, checked, onchange, "data-field": name, "aria-describedby": hint ? `${key}h` : null });
  const parts = [el("label", { class: "check", for: key }, box, el("span", {}, label))];
  if (hint) parts.push(el("p", { class: "hint", id: `${key}h` }, hint));
  if (name) parts.push(errorSlot({ "data-for": name }));
  return [el("div", { class: "field" }, ...parts), box];
}

/// Puts the fields of a problem beside their controls; answers whether each found its place.
export function complain(form, error) {
  let all = true;
  let first = null;
  for (const slot of form.querySelectorAll(".error[data-for]")) slot.textContent = "";
  for (const control of form.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
  for (const { field: name, message } of error?.fields || []) {
    const top = name.split(/[.[]/)[0];
    const find = (attribute) =>
      form.querySelector(`[${attribute}="${CSS.escape(name)}"]`) || form.querySelector(`[${attribute}="${CSS.escape(top)}"]`);
    const slot = find("data-for");
    if (!slot) {
      all = false;
      continue;
    }
    slot.textContent = [slot.textContent, message].filter(Boolean).join("; ");
    const control = find("data-field");
    control?.setAttribute("aria-invalid", "true");
    first = first || control;
  }
  first?.focus();
  return all && Boolean(error?.fields?.length);
}

const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const absolute = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const number = new Intl.NumberFormat("en");

export const count = (n) => number.format(n);
export const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;
export const moment = (at) => absolute.format(new Date(at));

export function ago(at) {
  const seconds = Math.round((new Date(at) - Date.now()) / 1000);
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) || units[3];
  return relative.format(Math.trunc(seconds / size), unit);
}

/// A moment as how long ago it is, which goes on by itself.
export const time = (at) => el("time", { datetime: at, title: moment(at), "data-ago": at }, ago(at));

export function refreshTimes() {
  for (const element of document.querySelectorAll("[data-ago]")) {
    const text = ago(element.dataset.ago);
    if (element.textContent !== text) element.textContent = text;
  }
}

export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 360) / 10} h`;
}

export function bytes(n) {
  if (n < 1e6) return `${Math.max(1, Math.round(n / 1e3))} kB`;
  return n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(2)} GB`;
}

/// Names and values side by side.
export function facts(...pairs) {
  return el("dl", { class: "facts" },
    ...pairs.filter(Boolean).map(([name, ...value]) => {
      const said = el("dd", {}, ...value);
      // What is long needs no narrow column.
      return el("div", { class: said.textContent.length > 60 ? "broad" : null }, el("dt", {}, name), said);
    }));
}

/// A list that is fetched part by part: `load(cursor)` answers `{items, next_cursor}`, `row` makes an item of it.
export function paged(load, row, { empty = "Nothing.", label, tag = "ul", className = "rows" } = {}) {
  const list = el(tag, { class: className, "aria-label": label });
  const slot = errorSlot();
  const none = el("p", { class: "dim", hidden: true }, empty);
  let cursor;
  let turn = 0;
  const more = el("button", { type: "button", hidden: true, onclick: () => attempt(more, slot, next) }, "Show more");
  async function next() {
    const mine = turn;
    const { items, next_cursor } = await load(cursor);
    if (mine !== turn) return;
    list.append(...items.map(row));
    cursor = next_cursor;
    more.hidden = !cursor;
    none.hidden = list.children.length > 0;
  }
  async function restart() {
    turn += 1;
    cursor = undefined;
    slot.textContent = "";
    list.setAttribute("aria-busy", "true");
    const mine = turn;
    try {
      const { items, next_cursor } = await load(undefined);
      if (mine !== turn) return;
      list.replaceChildren(...items.map(row));
      cursor = next_cursor;
      more.hidden = !cursor;
      none.hidden = items.length > 0;
    } catch (error) {
      if (mine === turn) slot.textContent = error.message;
    } finally {
      if (mine === turn) list.removeAttribute("aria-busy");
    }
  }
  return { root: el("div", { class: "paged" }, list, none, slot, el("p", {}, more)), restart, list };
}
