// The page: signs in where it has to, follows the events, and hands them to its parts.

import * as api from "./api.js";
import * as create from "./create.js";
import * as indexes from "./indexes.js";
import * as search from "./search.js";
import { $, refreshTimes, toast } from "./dom.js";

let events = null;

function live(state, text) {
  $("#live").dataset.state = state;
  $("#live-text").textContent = text;
}

function watch() {
  events?.close();
  events = new EventSource("api/events");
  const on = (name, work) => events.addEventListener(name, (event) => work(JSON.parse(event.data)));
  on("snapshot", (snapshot) => {
    live("live", "Live");
    indexes.replaceAll(snapshot.indexes, snapshot.runs);
  });
  on("run_started", indexes.applyRun);
  on("progress", indexes.applyRun);
  on("run_finished", indexes.applyRun);
  on("index_changed", indexes.applyIndex);
  events.onopen = () => live("live", "Live");
  events.onerror = async () => {
    live("lost", "Reconnecting…");
    // A browser does not come back by itself after an answer that is no stream.
    if (events.readyState === EventSource.CLOSED) {
      await new Promise((resolve) => setTimeout(resolve, 3000));
      enter();
    }
  };
}

async function enter() {
  let session;
  try {
    session = await api.session();
  } catch {
    live("lost", "Not reachable");
    setTimeout(enter, 3000);
    return;
  }
  const inside = !session.required || session.signed_in;
  $("#sign-in").hidden = inside;
  $("#workspace").hidden = !inside;
  $("#sign-out").hidden = !(session.required && session.signed_in);
  if (inside) {
    watch();
  } else {
    events?.close();
    live("locked", "Signed out");
    $("#key").focus();
  }
}

$("#sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("#sign-in-error").textContent = "";
  try {
    await api.signIn($("#key").value);
    $("#key").value = "";
    await enter();
  } catch (error) {
    $("#sign-in-error").textContent = error.status === 401 ? "This is not the key." : error.message;
  }
});

$("#sign-out").addEventListener("click", async () => {
  await api.signOut().catch((error) => toast(error.message, "bad"));
  indexes.replaceAll([], []);
  await enter();
});

$("#theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // Kept for this visit only.
  }
});

$("#connect-close").addEventListener("click", () => $("#connect").close());
$("#connect-copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("#connect-yaml").textContent);
    toast("Copied.", "good");
  } catch {
    toast("The browser does not allow copying; select the text instead.", "bad");
  }
});

indexes.onChange(() => search.offer(indexes.all()));
search.start();
create.start();
setInterval(refreshTimes, 10_000);
enter();
