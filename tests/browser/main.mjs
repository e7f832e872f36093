// node main.mjs <address of the demo> <binary> <scratch folder>
import { browser } from "./lib.mjs";
import { demo } from "./demo.mjs";
import { keyed } from "./keyed.mjs";
import { oidc } from "./oidc.mjs";
import { states } from "./states.mjs";

const [base, binary, scratch] = process.argv.slice(2);
try {
  // Side by side: none waits for the machine all the time.
  await Promise.all([demo(base), keyed(binary, scratch), oidc(binary, scratch), states(base)]);
} finally {
  await browser.close();
}
