import process from "node:process";
import { isJobError } from "../../src/core/errors.ts";
import { ATTACKS } from "./attacks.ts";
import { BOUNDS, measure } from "./measure.ts";
import { type AttackRequest, helpText, parseAttackArgs } from "./options.ts";
import { tableHead, tableRow } from "./table.ts";
import { FilledStores } from "./world.ts";

/** Run the attacks and print a line after each; returns the exit code. */
async function attackAll({ attacks, seconds }: AttackRequest): Promise<number> {
  const filled = new FilledStores();
  let failures = 0;
  try {
    console.log(tableHead());
    for (const attack of [null, ...attacks]) {
      const report = await measure(attack, { seconds, scale: 1, bounds: BOUNDS }, filled);
      console.log(tableRow(report));
      if (report.problems.length > 0) failures += 1;
    }
  } finally {
    filled.remove();
  }
  console.log(`\n${attacks.length + 1 - failures} hold, ${failures} fail`);
  return failures > 0 ? 1 : 0;
}

// The daemon and the attacker end with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  const request = parseAttackArgs(process.argv.slice(2), ATTACKS);
  if (request.isHelp) console.log(helpText(ATTACKS));
  else process.exitCode = await attackAll(request);
} catch (error) {
  if (!isJobError(error)) throw error;
  console.error(`${error.message}${error.hint ? `\n${error.hint}` : ""}`);
  process.exitCode = 2;
}
process.exit();
