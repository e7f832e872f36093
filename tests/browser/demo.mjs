// The page as an administrator uses it, against the demo.
import assert from "node:assert/strict";
import http from "node:http";
import { open, phone, shot, sound, step } from "./lib.mjs";
import { tools } from "./agent.mjs";

export async function demo(base) {
  await work(base);
  await keyboard(base);
  await prefixed(base);
}

async function work(base) {
  const { page, trouble, close } = await open(base, { colorScheme: "light", allowed: [409, 422] });
  const button = (name) => page.getByRole("button", { name, exact: true });
  const tab = (name) => page.getByRole("navigation", { name: "Views of the index" }).getByRole("link", { name });
  await page.goto(base);
  await page.locator("#live[data-state=live]").waitFor();
  await page.locator(".verdict").getByText("All is well").waitFor();
  assert.match(await page.locator(".verdict").innerText(), /1 index, 62 pages, last good sync/);
  await page.locator("dt", { hasText: "Site" }).waitFor();
  await sound(page, "overview");
  await phone(page, "overview");
  await shot(page, "overview");
  step("the overview says in one line how it stands");

  // A new index; what is wrong stands beside its field.
  await page.getByRole("link", { name: "New index" }).click();
  await page.getByRole("heading", { name: "New index" }).waitFor();
  await page.getByLabel("Name", { exact: true }).fill("Nur Betrieb: Ärger & Runbooks");
  assert.equal(await page.getByLabel("Agent id").inputValue(), "nur-betrieb-arger-runbooks");
  await button("Create and sync").click();
  await page.locator('.error[data-for="confluence_spaces"]').filter({ hasText: /\w/ }).waitFor();
  await page.getByLabel("Agent id").fill("demo");
  await page.getByRole("checkbox", { name: /OPS/ }).check();
  await button("Create and sync").click();
  await page.getByText(/agent id demo belongs to/).waitFor();
  await sound(page, "create");
  await phone(page, "create");
  await shot(page, "create");
  await page.getByLabel("Agent id").fill("ops");
  await button("Create and sync").click();
  await page.getByRole("heading", { name: "Nur Betrieb" }).waitFor();
  await page.locator(".heading .badge", { hasText: "Up to date" }).waitFor();
  const here = page.url();
  assert.match(here, /#\/index\/[0-9a-f-]{36}$/);
  step("a new index is made, and its first sync shown");

  await sound(page, "index");
  await phone(page, "index");
  await shot(page, "index");
  const badge = page.locator(".heading .badge");
  await button("Pause").click();
  await badge.filter({ hasText: "Paused" }).waitFor();
  await button("Resume").click();
  await badge.filter({ hasText: "Up to date" }).waitFor();
  await button("Sync now").click();
  await page.locator("dd", { hasText: "Sweep" }).waitFor();
  await badge.filter({ hasText: "Up to date" }).waitFor();
  await page.locator("summary", { hasText: "More" }).click();
  await sound(page, "index-more");
  await phone(page, "index-more");
  await button("Rebuild").click();
  await page.getByRole("dialog").getByRole("button", { name: "Rebuild" }).click();
  await page.locator("dd", { hasText: "Move" }).waitFor();
  await badge.filter({ hasText: "Up to date" }).waitFor();
  step("it is paused, resumed, synced and rebuilt");

  // Settings: what is changed, and nothing else, is sent.
  await tab("Settings").click();
  await page.getByLabel("Minutes between runs").fill("30");
  await page.getByLabel("Comments").check();
  await page.getByLabel("Quiet hours of its own").check();
  await page.getByLabel("No page with a label of").fill("draft, private");
  const patched = page.waitForRequest((request) => request.method() === "PATCH");
  await button("Save changes").click();
  const body = (await patched).postDataJSON();
  assert.deepEqual(Object.keys(body).sort(), ["exclude_labels", "include_comments", "interval_minutes", "quiet_hours"]);
  assert.deepEqual(body.exclude_labels, ["draft", "private"]);
  await page.getByText("Saved. What leaves or enters").waitFor();
  await page.getByLabel("Minutes between runs").fill("0");
  await button("Save changes").click();
  await page.locator('.error[data-for="interval_minutes"]').filter({ hasText: /from 1 to/ }).waitFor();
  await sound(page, "settings");
  await phone(page, "settings");
  await shot(page, "settings");
  await page.reload();
  await page.getByLabel("Minutes between runs").waitFor();
  assert.equal(await page.getByLabel("Minutes between runs").inputValue(), "30");
  step("its settings are changed");

  // A dry run says what would change, and what for.
  await tab("State").click();
  await page.locator("summary", { hasText: "More" }).click();
  await button("Dry run").click();
  await page.getByRole("heading", { name: /, dry run/ }).waitFor();
  await page.locator(".plan").waitFor();
  assert.match(await page.locator(".plan").innerText(), /leave \d+ as they are/);
  await sound(page, "dry-run");
  await phone(page, "dry-run");
  await shot(page, "dry-run");
  await button("Do it now").click();
  await page.getByText("Page by page").waitFor();
  await tab("Runs").click();
  await page.locator(".runs > li").nth(3).waitFor();
  await sound(page, "runs");
  await phone(page, "runs");
  await shot(page, "runs");
  await page.locator(".runs .name", { hasText: "First sync" }).click();
  await page.locator(".changes > li").nth(20).waitFor();
  assert.equal(await page.locator(".changes .badge", { hasText: "Added" }).count() > 20, true);
  await page.getByRole("button", { name: /Removed/ }).click();
  await page.getByText("No page.").waitFor();
  assert.match(page.url(), /change=removed$/);
  await sound(page, "run");
  step("a dry run and the history tell page by page");

  // Pages, and what is indexed of one.
  await tab("Pages").click();
  await page.getByRole("searchbox", { name: "Search titles" }).fill("roll back");
  const found = page.locator(".pages .name");
  await page.locator(".pages > li").filter({ hasText: "Roll back a deployment" }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".pages > li").length === 1);
  assert.match(page.url(), /title=roll\+back/);
  await sound(page, "pages");
  await phone(page, "pages");
  await shot(page, "pages");
  await found.first().click();
  await page.locator(".rendered ol li").first().waitFor();
  assert.ok((await page.locator(".rendered pre").count()) > 0, "code is shown as code");
  await sound(page, "page-rendered");
  await phone(page, "page-rendered");
  await shot(page, "page-rendered");
  await button("Markdown").click();
  await page.locator("pre.raw").waitFor();
  assert.match(await page.locator("pre.raw").innerText(), /```bash/);
  await sound(page, "page-markdown");
  await button("Passages").click();
  await page.locator(".passages > li").first().waitFor();
  await sound(page, "page-passages");
  await phone(page, "page-passages");
  assert.match(page.url(), /view=passages$/);
  await page.reload();
  await page.locator(".passages > li").first().waitFor();
  step("pages are found, read and cut");

  // Tokens, and the fragment: an agent that takes both as they stand gets answers.
  await tab("Connect").click();
  await page.getByLabel("Name", { exact: true }).fill("laptop");
  await page.getByLabel("Expires after").selectOption("90");
  await button("Make a token").click();
  const secret = await page.locator(".secret code").innerText();
  assert.match(secret, /^mcs_/);
  const yaml = await page.getByRole("region", { name: "Fragment for librechat.yaml" }).innerText();
  const env = await page.getByRole("region", { name: "Line for LibreChat's .env" }).innerText();
  assert.equal(env.trim(), `CONFLUENCE_SYNC_TOKEN=${secret}`);
  const { hostname, port } = new URL(base);
  assert.ok(yaml.includes(`allowedAddresses:\n    - "${hostname}:${port}"`), yaml);
  const said = await tools(yaml, env);
  assert.match(said, /Roll back a deployment/);
  assert.doesNotMatch(said, /ENG/, "the token reads its own index only");
  await sound(page, "connect");
  await phone(page, "connect");
  await shot(page, "connect");
  await page.getByLabel("Address at which").fill("https://kb.example.com/confluence/");
  const there = await page.getByRole("region", { name: "Fragment for librechat.yaml" }).innerText();
  assert.ok(there.startsWith("mcpServers:") && there.includes("url: https://kb.example.com/confluence/mcp/sse\n"), there);
  await page.reload();
  const row = page.locator(".tokens > li", { hasText: "laptop" });
  await row.getByText("last used").waitFor();
  assert.match(await row.innerText(), /expires/);
  assert.ok(!(await page.content()).includes(secret), "it is shown once");
  await row.getByRole("button", { name: /Revoke/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByText("No token yet.").waitFor();
  await assert.rejects(tools(yaml, env), /401/);
  step("a token is made, used through the fragment, and revoked");

  await tab("Question").click();
  await page.getByText("Nothing waits for an answer.").waitFor();
  await sound(page, "question-none");

  // Ask as an agent does.
  await page.getByRole("link", { name: "Ask" }).click();
  await page.getByRole("searchbox", { name: "Question or keywords" }).fill("roll back a release");
  await page.getByLabel("Index").selectOption("demo");
  await page.getByLabel("Hits").fill("5");
  await page.keyboard.press("Enter");
  await page.locator(".hit").nth(4).waitFor();
  assert.equal(await page.locator(".hit").count(), 5);
  const model = page.locator("pre.model");
  assert.match(await model.innerText(), /^5 passages\. From the index/);
  assert.ok((await page.locator(".hit mark").count()) > 0);
  assert.match(await page.locator(".hit h3 a").first().getAttribute("href"), /^https?:.*\/wiki\//);
  await page.locator("dt", { hasText: "Confidence" }).waitFor();
  await sound(page, "ask");
  await phone(page, "ask");
  await shot(page, "ask");
  await page.getByRole("button", { name: /get_page of/ }).first().click();
  await page.getByRole("heading", { name: /^get_page \d+$/ }).waitFor();
  assert.match(await model.innerText(), /Roll back a deployment/);
  await button("Back to the search").click();
  await page.getByLabel("Label").fill("no-such-label");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "0 hits" }).waitFor();
  await page.getByText("the filter label").waitFor();
  await page.getByRole("spinbutton", { name: "Hits" }).fill("99");
  await page.keyboard.press("Enter");
  await page.locator('.error[data-for="top_k"]').filter({ hasText: "from 1 to 50" }).waitFor();
  assert.match(page.url(), /#\/ask\?q=roll\+back\+a\+release&agent=demo&label=no-such-label&k=99/);
  step("an agent's answer stands beside the hits");

  await page.getByRole("link", { name: "Checks" }).click();
  await page.getByText(/All \d+ checks are good/).waitFor();
  await sound(page, "checks");
  await phone(page, "checks");
  await shot(page, "checks");
  await page.getByRole("link", { name: "Overview" }).click();
  await page.locator("dd", { hasText: "Sync Bot" }).waitFor();

  await button("Change colour theme").click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.goto(here);
  await page.getByRole("heading", { name: "Nur Betrieb" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.locator("summary", { hasText: "More" }).click();
  await sound(page, "index-dark");
  await shot(page, "index-dark");
  await button("Delete…").click();
  await sound(page, "sure");
  await page.getByRole("button", { name: "Delete index" }).click();
  await page.getByText("“Nur Betrieb: Ärger & Runbooks” was deleted.").waitFor();
  await page.getByRole("heading", { name: "Indexes" }).waitFor();
  assert.equal(await page.locator(".indexes > li").count(), 1);
  await page.goto(`${base}/#/nowhere`);
  await page.getByRole("heading", { name: "There is no such view" }).waitFor();
  assert.deepEqual(trouble, []);
  await close();
  step("the theme is kept, an index deleted, an unknown view told");
}

/// Without a mouse: to the index, through its views, and the focus goes along.
async function keyboard(base) {
  const { page, trouble, close } = await open(base);
  await page.goto(base);
  await page.locator(".indexes .name").first().waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  const reach = async (text) => {
    for (let n = 0; n < 60; n += 1) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate(() => document.activeElement.textContent.trim())) === text) return;
    }
    assert.fail(`${text} is not reached`);
  };
  await reach("Sample company");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.tagName === "H1" && document.activeElement.textContent === "Sample company");
  assert.match(await page.title(), /^Sample company/);
  await reach("Pages");
  await page.keyboard.press("Enter");
  await page.locator(".pages > li").first().waitFor();
  // What scrolls can be scrolled with the keys.
  await page.goto(`${base}/#/ask?q=release`);
  await page.locator(".hit").first().waitFor();
  const stuck = await page.evaluate(() =>
    [...document.querySelectorAll("main *")].filter((one) => one.scrollHeight > one.clientHeight + 2 && ["auto", "scroll"].includes(getComputedStyle(one).overflowY) && one.tabIndex < 0).map((one) => one.outerHTML.slice(0, 80)));
  assert.deepEqual(stuck, []);
  assert.deepEqual(trouble, []);
  await close();
  step("the keyboard reaches everything");
}

/// A proxy that strips a prefix.
async function prefixed(base) {
  const prefix = "/tools/confluence";
  const target = new URL(base);
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith(`${prefix}/`)) {
      response.writeHead(404).end();
      return;
    }
    const headers = { ...request.headers, host: target.host };
    if (headers.origin) headers.origin = base;
    const sent = http.request({ host: target.hostname, port: target.port, method: request.method, path: request.url.slice(prefix.length), headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
      response.on("close", () => answer.destroy());
    });
    request.pipe(sent);
  });
  await new Promise((listening) => proxy.listen(0, "127.0.0.1", listening));
  const front = `http://127.0.0.1:${proxy.address().port}${prefix}`;
  const { page, trouble, close } = await open(front);
  await page.goto(`${front}/`);
  await page.locator(".indexes .name").first().click();
  await page.getByRole("navigation", { name: "Views of the index" }).getByRole("link", { name: "Connect" }).click();
  await page.getByText(`url: ${front}/mcp/sse`).waitFor();
  await page.goto(`${front}/#/ask?q=release`);
  await page.locator(".hit").first().waitFor();
  assert.match(await page.locator("pre.model").innerText(), /passages\. From the index/);
  assert.deepEqual(trouble, []);
  await close();
  proxy.closeAllConnections();
  await new Promise((closed) => proxy.close(closed));
  step("everything works under a prefix");
}
