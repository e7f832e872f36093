// The form for a new index.

import * as api from "./api.js";
import { $, el, toast } from "./dom.js";
import { applyIndex } from "./indexes.js";

const chosen = new Set();
let known = [];

export function start() {
  $("#new-index").addEventListener("click", open);
  $("#create-cancel").addEventListener("click", () => $("#create").close());
  $("#space-filter").addEventListener("input", list);
  $("#create-name").addEventListener("input", suggest);
  $("#create-agent").addEventListener("input", (event) => (event.target.dataset.touched = "yes"));
  $("#create-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
}

async function open() {
  $("#create-form").reset();
  delete $("#create-agent").dataset.touched;
  chosen.clear();
  complain([]);
  list();
  $("#create").showModal();
  $("#create-name").focus();
  try {
    known = (await api.spaces()).items;
    list();
  } catch (error) {
    known = [];
    list(`The spaces cannot be listed: ${error.message}`);
  }
}

/// An agent id from the name, until somebody types one.
function suggest() {
  const agent = $("#create-agent");
  if (agent.dataset.touched) return;
  const name = $("#create-name").value.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  agent.value = name.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
}

function list(trouble) {
  const words = $("#space-filter").value.trim().toLowerCase();
  const fits = (space) => !words || `${space.key} ${space.name}`.toLowerCase().includes(words);
  const rows = known.filter(fits).slice(0, 200).map((space) => {
    const box = el("input", { type: "checkbox", value: space.key, onchange: () => (box.checked ? chosen.add(space.key) : chosen.delete(space.key)) });
    box.checked = chosen.has(space.key);
    return el("label", {}, box, el("b", {}, space.key), el("span", {}, space.name));
  });
  const empty = typeof trouble === "string" ? trouble : known.length ? "No space fits." : "Looking for spaces…";
  $("#spaces").replaceChildren(...(rows.length ? rows : [el("p", { class: "dim" }, empty)]));
}

function complain(errors, general = "") {
  const open = [];
  for (const place of document.querySelectorAll("#create-form .error[data-for]")) {
    const own = errors.filter((error) => error.field.split(/[.[]/)[0] === place.dataset.for);
    place.textContent = own.map((error) => error.message).join(" ");
    const field = $(`#create-form [name="${place.dataset.for}"]`);
    if (field) field.setAttribute("aria-invalid", own.length ? "true" : "false");
    if (own.length) open.push(field);
  }
  $("#create-error").textContent = general;
  open.find(Boolean)?.focus();
}

async function submit() {
  const typed = $("#space-keys").value.split(/[\s,]+/).filter(Boolean);
  const index = {
    name: $("#create-name").value.trim(),
    agent_id: $("#create-agent").value.trim(),
    confluence_spaces: [...new Set([...chosen, ...typed])],
    interval_minutes: Number($("#create-interval").value) || undefined,
  };
  const button = $("#create-submit");
  button.disabled = true;
  try {
    const made = await api.createIndex(index);
    applyIndex(made);
    $("#create").close();
    toast(`“${made.name}” was created; its first sync is under way.`, "good");
  } catch (error) {
    const general = error.fields?.length ? "" : error.message;
    complain(error.fields || [], general);
  } finally {
    button.disabled = false;
  }
}
