// The page: signs in where it has to, follows the events, and shows the view that the address names.

import * as api from "./api.js";
import * as live from "./live.js";
import * as ask from "./ask.js";
import * as checks from "./checks.js";
import * as create from "./create.js";
import * as index from "./index.js";
import * as overview from "./overview.js";
import * as people from "./people.js";
import { $, el, isAdministrator, refreshTimes, toast } from "./dom.js";
import { current } from "./router.js";

const VIEWS = { "": overview, ask, checks, people, new: create, index };
const FOR_ADMINISTRATORS = ["checks", "people"];
const NAME = "Confluence Sync";

let shown = null;
let inside = false;
let retry = null;
/// Whether who signed out here was let in by the issuer, where they are signed in still.
let leftIssuer = false;

function stands(state, text) {
  $("#live").dataset.state = state;
  $("#live-text").textContent = text;
}

/// Shows what the address names. `moved`: somebody went there, so that the focus goes along.
function show(moved) {
  if (!inside || !live.isKnown()) return;
  const { path, query } = current();
  const [name = "", ...rest] = path;
  for (const link of document.querySelectorAll("#nav a[data-view]")) {
    const here = link.dataset.view === name || (link.dataset.view === "" && (name === "index" || name === "new"));
    if (here) link.setAttribute("aria-current", name === link.dataset.view ? "page" : "true");
    else link.removeAttribute("aria-current");
  }
  // A view that knows how to go on by itself keeps what it has.
  if (shown?.view === VIEWS[name] && shown.at?.(rest, query)) return;
  shown?.stop?.();
  const root = $("#view");
  root.replaceChildren();
  const view = FOR_ADMINISTRATORS.includes(name) && !isAdministrator() ? { show: refused } : VIEWS[name];
  shown = { ...(view?.show(root, rest, query) || nowhere(root)), view };
  title();
  if (moved) {
    scrollTo(0, 0);
    const heading = root.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
  }
}

function title() {
  const heading = $("#view h1");
  document.title = heading ? `${heading.textContent} · ${NAME}` : NAME;
}

/// Without asking for what would be refused.
function refused(root) {
  root.append(el("h1", {}, "For administrators"), el("p", {}, "Your key does not open this view. ", el("a", { href: "#/" }, "To the overview")));
  return {};
}

function nowhere(root) {
  root.append(el("h1", {}, "There is no such view"), el("p", {}, el("a", { href: "#/" }, "To the overview")));
  return {};
}

async function enter() {
  clearTimeout(retry);
  let session;
  try {
    session = await api.session();
  } catch {
    stands("lost", "Not reachable");
    retry = setTimeout(enter, 3000);
    return;
  }
  inside = !session.required || session.signed_in;
  // What may not be done is not offered; the service refuses it whatever is shown.
  document.body.dataset.role = session.role || "";
  $("#sign-in").hidden = inside;
  $("#view").hidden = !inside;
  $("#nav").hidden = !inside;
  $("#sign-out").hidden = !(session.required && session.signed_in);
  if (inside) {
    live.follow(stands, enter);
  } else {
    leave();
    stands("locked", "Signed out");
    document.title = `Sign in · ${NAME}`;
    offer(session.oidc);
    (session.oidc ? $("#sign-in-link") : $("#key")).focus();
  }
}

/// Signing in at the issuer, where that is possible, and back to the view that the address names. The links get their addresses
/// here: without an issuer those lead nowhere.
function offer(oidc) {
  $("#sign-in-oidc").hidden = !oidc;
  if (!oidc) return;
  const link = $("#sign-in-link");
  link.textContent = `Sign in with ${oidc.name}`;
  const lead = () => (link.href = `api/session/oidc${location.hash.length > 2 ? `?to=${encodeURIComponent(location.hash.slice(1))}` : ""}`);
  lead();
  link.onclick = lead;
  $("#sign-out-there").hidden = !(leftIssuer && oidc.signs_out);
  $("#sign-out-link").href = "api/session/oidc/logout";
  $("#sign-out-name").textContent = oidc.name;
}

function leave() {
  live.forget();
  shown?.stop?.();
  shown = null;
  $("#view").replaceChildren();
}

$("#sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("#sign-in-error").textContent = "";
  try {
    await api.signIn($("#key").value);
    $("#key").value = "";
    await enter();
  } catch (error) {
    $("#sign-in-error").textContent = error.message;
    $("#key").focus();
  }
});

$("#sign-out").addEventListener("click", async () => {
  try {
    leftIssuer = Boolean((await api.session()).oidc?.used);
    await api.signOut();
  } catch (error) {
    toast(error.message, "bad");
  }
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

// The address behind `#` is the view's.
$("#skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("#main").focus();
});

api.onSignedOut(() => inside && enter());
live.listen(() => {
  if (!shown) show(false);
  else shown.live?.();
});
addEventListener("hashchange", () => show(true));
setInterval(refreshTimes, 10_000);
enter();
