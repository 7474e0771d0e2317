// Loaded before tests on Bun, so that the programs they start run with the engine's own defaults.
import process from "node:process";

for (const name of Object.keys(process.env).filter((name) => name.startsWith("BUN_JSC_"))) {
  delete process.env[name];
}
