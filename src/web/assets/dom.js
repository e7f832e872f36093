// Making elements. Text is always text: nothing of a page or an answer is ever read as HTML.

export const $ = (selector) => document.querySelector(selector);

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
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

const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const number = new Intl.NumberFormat();

export const count = (n) => number.format(n);

export function ago(moment) {
  const seconds = Math.round((new Date(moment) - Date.now()) / 1000);
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) || units[3];
  return relative.format(Math.trunc(seconds / size), unit);
}

export const time = (moment) =>
  el("time", { datetime: moment, title: absolute.format(new Date(moment)), "data-ago": moment }, ago(moment));

export function refreshTimes() {
  for (const element of document.querySelectorAll("[data-ago]")) {
    const text = ago(element.dataset.ago);
    if (element.textContent !== text) element.textContent = text;
  }
}
