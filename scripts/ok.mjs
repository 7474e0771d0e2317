// The one gate: format, lint (TypeScript and Lua), types, tests on Bun and on Deno, the packed
// library on Node.
import { checkLua } from "./lua.mjs";
import { pack, smoke } from "./pack.mjs";
import { install, tryRun } from "./tasks.mjs";
import { test } from "./test.mjs";
import { runReachable } from "./test/reachable.mjs";

install();
const code = runReachable(process.argv[1]);
if (code !== null) process.exit(code);
const failed = [];
const step = (name, isGood) => {
  if (!isGood) failed.push(name);
};
step("format", tryRun("deno", ["fmt", "--check"]).status === 0);
step("lint", tryRun("deno", ["lint", "--quiet"]).status === 0);
step("Lua", checkLua());
step("types", tryRun("tsc", ["-p", "."]).status === 0);
step("types of the dashboard", tryRun("tsc", ["-p", "src/dashboard"]).status === 0);
step("tests", await test());
await pack();
step("packed library", await smoke());

console.log(failed.length === 0 ? "\nok" : `\nNot ok: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
