// People who sign in at an issuer, in a browser that keeps to what cookies of other sites may do.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { issuer } from "./issuer.mjs";
import { freePort, start } from "./keyed.mjs";
import { open, phone, shot, sound, step } from "./lib.mjs";

const PEOPLE = {
  "Rae Reader": { sub: "rae", name: "Rae Reader with a name that is long enough to need more than one line", groups: ["staff"], email: "rae@example.org" },
  "Ada Admin": { sub: "ada", name: "Ada Admin", groups: ["ops"] },
  "Nobody": { sub: "nobody", name: "Nobody Known", groups: ["guests"] },
};

/// As if so many seconds were left of the hours that sessions last; the service must not run.
function endSessionsIn(seconds, database) {
  const sql = `UPDATE page_sessions SET ends_at = strftime('%Y-%m-%d %H:%M:%f', 'now', '+${seconds} seconds')`;
  const script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); print(db.execute(sys.argv[2]).rowcount); db.commit()";
  assert.ok(Number(execFileSync("python3", ["-c", script, database, sql])) > 0);
}

async function cookie(page, base) {
  return (await page.context().cookies(base)).map(({ name, value }) => `${name}=${value}`).join("; ");
}

export async function oidc(binary, scratch) {
  const folder = `${scratch}/oidc`;
  mkdirSync(folder);
  const idp = await issuer(PEOPLE);
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const again = () =>
    start(binary, folder, port, "the-administrator-key", {
      OIDC_ISSUER: idp.base,
      OIDC_NAME: "the identity provider of Example & Sons",
      OIDC_CLIENT_ID: idp.client,
      OIDC_READERS: "staff",
      OIDC_ADMINISTRATORS: "ops",
    });
  let service = await again();
  const { page, trouble, close } = await open(base, { allowed: [400, 401, 403, 404, 503] });
  const signIn = page.getByRole("link", { name: /^Sign in with the identity provider/ });
  const as = (name) => page.getByRole("link", { name, exact: true }).click();
  try {
    await page.goto(`${base}/#/ask?index=x`);
    await signIn.waitFor();
    await sound(page, "sign-in-oidc");
    await phone(page, "sign-in-oidc");
    await shot(page, "sign-in-oidc");
    await signIn.click();
    await as("Rae Reader");
    await page.locator("#live[data-state=live]").waitFor();
    assert.equal(page.url(), `${base}/#/ask?index=x`);
    assert.equal(await page.getByRole("link", { name: "People", exact: true }).isVisible(), false);
    const cookies = await page.context().cookies(base);
    assert.deepEqual(cookies.map(({ name, sameSite, httpOnly }) => [name, sameSite, httpOnly]), [["mcp_confluence_session", "Strict", true]]);
    await page.reload();
    await page.locator("#live[data-state=live]").waitFor();
    step("who signs in at the issuer comes back to the view that was asked for");

    idp.rotate();
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn.waitFor();
    await page.getByText("You are signed out here.").waitFor();
    await sound(page, "signed-out-oidc");
    await phone(page, "signed-out-oidc");
    await page.getByRole("link", { name: /^Sign out at/ }).click();
    await page.getByText("Signed out at the issuer.").waitFor();
    await page.getByRole("link", { name: "Back" }).click();
    await signIn.waitFor();
    step("who signs out may sign out at the issuer, too");

    await signIn.click();
    await as("Nobody");
    await page.getByText("Nobody Known has no role here.").waitFor();
    await sound(page, "no-role");
    await phone(page, "no-role");
    await shot(page, "no-role");
    await page.reload();
    await page.getByText("no such sign-in under way").waitFor();
    idp.broken = true;
    await page.getByRole("link", { name: /^Try again/ }).click();
    await as("Ada Admin");
    await page.getByText("The issuer gave no ID token for the code: status 500").waitFor();
    idp.broken = false;
    idp.audience = "another-service";
    await page.getByRole("link", { name: /^Try again/ }).click();
    await as("Ada Admin");
    await page.getByText("InvalidAudience").waitFor();
    idp.audience = idp.client;
    await page.getByRole("link", { name: "To the sign-in" }).click();
    await signIn.click();
    await as("Ada Admin");
    await page.locator("#live[data-state=live]").waitFor();
    step("why nobody is let in is told, also after the issuer has changed its key");

    await page.goto(`${base}/#/people`);
    await page.getByRole("button", { name: /^Revoke the access of Rae/ }).click();
    await page.locator("#sure-yes").click();
    await page.getByText("Kept out").waitFor();
    await page.locator(".audit > li", { hasText: "revoke key" }).waitFor();
    await sound(page, "people-oidc");
    await phone(page, "people-oidc");
    await shot(page, "people-oidc");
    const other = await open(base, { allowed: [401, 403] });
    await other.page.goto(base);
    await other.page.getByRole("link", { name: /^Sign in with/ }).click();
    await other.page.getByRole("link", { name: "Rae Reader", exact: true }).click();
    await other.page.getByText("is kept out of this service").waitFor();
    await page.getByRole("button", { name: /^Let in again: Rae/ }).click();
    await page.getByText("Kept out").waitFor({ state: "detached" });
    await other.page.getByRole("link", { name: /^Try again/ }).click();
    await other.page.getByRole("link", { name: "Rae Reader", exact: true }).click();
    await other.page.locator("#live[data-state=live]").waitFor();
    await other.close();
    step("whom an administrator keeps out is out until let in again");

    await service.stop();
    await page.locator("#live[data-state=lost]").waitFor();
    endSessionsIn(8, `${folder}/keyed.db`);
    service = await again();
    await page.locator("#live[data-state=live]").waitFor();
    await page.getByText("Ada Admin").first().waitFor();
    await signIn.waitFor();
    assert.equal((await fetch(`${base}/api/keys`, { headers: { cookie: await cookie(page, base) } })).status, 401);
    await signIn.click();
    await as("Ada Admin");
    await page.locator("#live[data-state=live]").waitFor();
    step("a session that is over in the middle of the work leads to the sign-in by itself");

    const ours = (text) => !text.startsWith(`asks ${idp.base}`) && !text.includes(`${idp.base}/`) && !/ERR_(CONNECTION|EMPTY|INCOMPLETE)/.test(text);
    assert.deepEqual(trouble.filter(ours), []);
    await close();
  } finally {
    await service.stop();
    idp.stop();
  }
}
