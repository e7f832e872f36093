// The page as somebody uses it: node page.mjs <base url> [folder for screenshots]
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [base, shots] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(String(error)));
  // What a content policy refuses and what fails to load shows up here too.
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  page.on("request", (request) => {
    if (!request.url().startsWith(base)) trouble.push(`asks ${request.url()}`);
  });
  return { page, trouble };
}
const shot = (page, name) => (shots ? page.screenshot({ path: `${shots}/${name}.png` }) : null);
const step = (text) => console.log(`ok   ${text}`);

const { page, trouble } = await open({ colorScheme: "light" });
await page.goto(base);
await page.locator("#live[data-state=live]").waitFor();
const first = page.locator("article.index").first();
await first.getByText("Up to date").waitFor();
assert.match(await page.locator("#summary").innerText(), /1 index · \d+ pages/);
await shot(page, "light");
step("indexes are shown live");

await page.getByRole("searchbox", { name: "Question or keywords" }).fill("roll back a release");
await page.keyboard.press("Enter");
await page.locator(".hit").first().waitFor();
assert.ok((await page.locator(".hit").count()) > 2);
assert.ok((await page.locator(".hit mark").count()) > 0);
assert.match(await page.locator(".hit a").first().getAttribute("href"), /^https?:.*\/wiki\//);
await shot(page, "search");
step("a search finds passages with links");

await page.getByRole("button", { name: "New index" }).click();
const dialog = page.getByRole("dialog", { name: "New index" });
await dialog.getByLabel("Name").fill("Nur Betrieb: Ärger & Runbooks");
assert.equal(await dialog.getByLabel("Agent id").inputValue(), "nur-betrieb-arger-runbooks");
await dialog.getByRole("button", { name: "Create and sync" }).click();
await dialog.locator('.error[data-for="confluence_spaces"]').filter({ hasText: /\w/ }).waitFor();
step("a bad field is named beside it");
await dialog.getByLabel("Agent id").fill("demo");
await dialog.getByRole("checkbox", { name: /OPS/ }).check();
await dialog.getByRole("button", { name: "Create and sync" }).click();
await dialog.locator(".error").filter({ hasText: /demo|agent/i }).first().waitFor();
await shot(page, "create");
await dialog.getByLabel("Agent id").fill("ops");
await dialog.getByRole("button", { name: "Create and sync" }).click();
await dialog.waitFor({ state: "hidden" });
const card = page.locator("article.index").filter({ hasText: "Nur Betrieb" });
await card.getByText("Up to date").waitFor();
await card.getByText(/First sync succeeded/).waitFor();
step("a new index syncs in sight");

await card.getByRole("button", { name: "Sync now" }).click();
await card.getByText(/Sweep succeeded/).waitFor();
step("sync now runs a sweep");

await card.getByRole("button", { name: "Connect" }).click();
assert.match(await page.locator("#connect-yaml").innerText(), /mcp\/sse\?agent_id=ops/);
await page.getByRole("dialog", { name: "Connect an agent" }).getByRole("button", { name: "Close" }).click();

await page.getByRole("button", { name: "Change colour theme" }).click();
assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
await shot(page, "dark");
await page.reload();
await card.waitFor();
assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
step("the theme is kept");

await card.getByRole("button", { name: "Delete" }).click();
await page.getByRole("button", { name: "Delete index" }).click();
await card.waitFor({ state: "detached" });
assert.equal(await page.locator("article.index").count(), 1);
step("an index is deleted after a question");

// 422 and 409 are logged by the browser itself.
const unexpected = trouble.filter((text) => !/status of (409|422)/.test(text));
assert.deepEqual(unexpected, []);

// Everything that can be pressed has a name, every field a label.
const nameless = await page.evaluate(() =>
  [...document.querySelectorAll("button, a, input, select")]
    .filter((e) => !(e.innerText?.trim() || e.getAttribute("aria-label") || e.labels?.length || e.getAttribute("placeholder")))
    .map((e) => e.outerHTML),
);
assert.deepEqual(nameless, []);
step("everything has a name; nothing is asked of others");

const phone = await open({ viewport: { width: 390, height: 800 }, colorScheme: "dark" });
await phone.page.goto(base);
await phone.page.locator("article.index").first().waitFor();
assert.ok(await phone.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
await shot(phone.page, "phone");
step("a phone shows it without scrolling sideways");

// A service with a key.
const locked = await open();
let inside = false;
await locked.page.route("**/api/session", (route) => {
  if (route.request().method() === "POST") {
    inside = route.request().postDataJSON().key === "right";
    return route.fulfill(inside ? { status: 204 } : { status: 401, contentType: "application/problem+json", body: '{"detail":"no"}' });
  }
  return route.fulfill({ json: { required: true, signed_in: inside } });
});
await locked.page.goto(base);
await locked.page.getByLabel("API key").fill("wrong");
await locked.page.keyboard.press("Enter");
await locked.page.getByText("This is not the key.").waitFor();
await shot(locked.page, "sign-in");
await locked.page.getByLabel("API key").fill("right");
await locked.page.keyboard.press("Enter");
await locked.page.locator("article.index").first().waitFor();
await locked.page.getByRole("button", { name: "Sign out" }).waitFor();
step("signing in");

await browser.close();
