// What the parts of this suite share: pages that note what went wrong in them, axe, pictures.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import axe from "axe-core";

export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

const began = Date.now();
export const step = (text) => console.log(`ok   ${text} (${((Date.now() - began) / 1000).toFixed(0)} s)`);

/// A page of its own; `trouble` fills with what went wrong in it, `allowed` says which answers may be errors.
export async function open(base, { allowed = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(45_000);
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(String(error)));
  // What a content policy refuses and what fails to load shows up here too.
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    if (allowed.some((status) => message.text().includes(`status of ${status}`))) return;
    trouble.push(`${message.text()} ${message.location().url || ""}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(base)) trouble.push(`asks ${request.url()}`);
  });
  return { page, trouble, close: () => context.close() };
}

export async function shot(page, name) {
  if (!process.env.SCREENSHOTS) return;
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true });
}

/// axe finds nothing, and nothing is wider than the window.
export async function sound(page, where, rules) {
  if (!(await page.evaluate(() => Boolean(globalThis.axe)))) await page.evaluate(axe.source);
  const found = await page.evaluate((only) => globalThis.axe.run(document, { resultTypes: ["violations"], ...(only && { runOnly: only }) }), rules);
  const told = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("\n   ")}`);
  assert.deepEqual(told, [], where);
  await fits(page, where);
}

export async function fits(page, where) {
  const wide = await page.evaluate(() => {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    return [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1).slice(0, 5).map((one) => one.outerHTML.slice(0, 120));
  });
  assert.deepEqual(wide, [], `${where}: wider than the window`);
}

/// At the widths of a tablet and of a phone, and back.
export async function phone(page, where) {
  const before = page.viewportSize();
  await page.setViewportSize({ width: 768, height: 1024 });
  await fits(page, `${where} at 768 px`);
  await page.setViewportSize({ width: 360, height: 780 });
  await fits(page, `${where} at 360 px`);
  await shot(page, `${where}-phone`);
  await page.setViewportSize(before);
}
