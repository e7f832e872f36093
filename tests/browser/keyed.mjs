// A service with a key, of which Confluence cannot be reached: signing in and out, restarts, another key, and what is wrong told.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import net from "node:net";
import { open, phone, shot, sound, step } from "./lib.mjs";

const KEY = "the-administrator-key";

export async function freePort() {
  const server = net.createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

export async function start(binary, folder, port, key, more = {}) {
  const env = {
    PATH: process.env.PATH,
    CONFLUENCE_BASE_URL: "http://127.0.0.1:9",
    CONFLUENCE_EMAIL: "nobody@example.com",
    CONFLUENCE_API_TOKEN: "x",
    DATABASE_URL: `sqlite:///${folder}/keyed.db`,
    API_PORT: String(port),
    API_KEY: key,
    RUST_LOG: "warn",
    ...more,
  };
  const child = spawn(binary, ["serve"], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const log = createWriteStream(`${folder}/log`, { flags: "a" });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const ended = new Promise((resolve) => child.on("exit", resolve));
  for (let n = 0; n < 300; n += 1) {
    const live = await fetch(`http://127.0.0.1:${port}/health/live`).catch(() => null);
    if (live?.ok) return { stop: () => (child.kill("SIGTERM"), ended) };
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill("SIGKILL");
  throw new Error("the service with a key did not start");
}

export async function keyed(binary, scratch) {
  const folder = `${scratch}/keyed`;
  mkdirSync(folder);
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  let service = await start(binary, folder, port, KEY);
  try {
    const { page, trouble, close } = await open(base, { allowed: [401, 503] });
    const signIn = page.getByLabel("API key");
    await page.goto(`${base}/#/checks`);
    await signIn.fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByText("That key is not correct.").waitFor();
    await sound(page, "sign-in");
    await phone(page, "sign-in");
    await shot(page, "sign-in");
    await signIn.fill(KEY);
    await page.keyboard.press("Enter");
    // It goes on where it was to go.
    await page.getByText(/found something wrong/).waitFor({ timeout: 60_000 });
    await page.locator(".checks > li").first().getByText("Wrong").waitFor();
    await sound(page, "checks-wrong");
    await shot(page, "checks-wrong");
    step("signing in leads to the view that was asked for");

    await page.goto(`${base}/#/new`);
    await page.getByText(/The spaces cannot be listed/).waitFor({ timeout: 60_000 });
    await page.getByLabel("Name", { exact: true }).fill("Handbook");
    await page.getByLabel("Further keys").fill("ENG");
    await page.getByRole("button", { name: "Create and sync" }).click();
    await page.getByText(/Confluence cannot be reached|Confluence did not answer/).last().waitFor({ timeout: 60_000 });
    await sound(page, "create-unreachable");
    await page.goto(`${base}/#/`);
    await page.locator('.verdict[data-tone="bad"]').waitFor({ timeout: 60_000 });
    await page.locator(".waiting li", { hasText: "Confluence:" }).waitFor();
    await sound(page, "overview-unreachable");
    await phone(page, "overview-unreachable");
    await shot(page, "overview-unreachable");
    step("an unreachable Confluence is told, in the overview first");

    await page.goto(`${base}/#/people`);
    await page.getByText("No key yet").waitFor();
    await sound(page, "people-none");
    await page.getByLabel("Whose key").fill("Rae with a name that is long enough to need more than one line on a phone");
    await page.getByLabel("Role").selectOption("reader");
    await page.getByRole("button", { name: "Make a key" }).click();
    const secret = await page.locator(".secret code").textContent();
    assert.match(secret, /^mcs_/);
    await page.locator(".audit > li", { hasText: "create key" }).waitFor();
    await sound(page, "people");
    await phone(page, "people");
    await shot(page, "people");
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn.fill(secret);
    await page.keyboard.press("Enter");
    await page.locator("#live[data-state=live]").waitFor();
    await page.getByRole("heading", { name: "For administrators" }).waitFor();
    await page.getByRole("link", { name: "To the overview" }).click();
    await page.locator("#indexes-title").waitFor();
    for (const hidden of ["New index", "Check everything", "People", "Checks"]) {
      assert.equal(await page.getByRole("link", { name: hidden, exact: true }).isVisible(), false, hidden);
    }
    await sound(page, "overview-reader");
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn.fill(KEY);
    await page.keyboard.press("Enter");
    await page.goto(`${base}/#/people`);
    await page.getByRole("button", { name: /^Revoke the key of Rae/ }).click();
    await page.locator("#sure-yes").click();
    await page.locator(".audit > li", { hasText: "revoke key" }).waitFor();
    await page.getByText("No key yet").waitFor();
    step("people get keys of their own, and what a role may not do is not offered");

    await service.stop();
    await page.locator("#live[data-state=lost]").waitFor();
    service = await start(binary, folder, port, KEY);
    await page.locator("#live[data-state=live]").waitFor();
    assert.equal(await page.locator("#sign-in").isVisible(), false);
    await page.reload();
    await page.locator("#live[data-state=live]").waitFor();
    step("a restart signs nobody out");

    await service.stop();
    service = await start(binary, folder, port, "another-key");
    await signIn.waitFor();
    await service.stop();
    service = await start(binary, folder, port, KEY);
    await page.reload();
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn.waitFor();
    await page.reload();
    await signIn.waitFor();
    const lost = (text) => /ERR_(CONNECTION|EMPTY|INCOMPLETE)/.test(text);
    assert.deepEqual(trouble.filter((text) => !lost(text)), []);
    await close();
    step("another key and signing out do");
  } finally {
    await service.stop();
  }
}
