// Loaded before tests on Bun: what they start runs with the engine as it is.
import process from "node:process";

for (const name of Object.keys(process.env).filter((name) => name.startsWith("BUN_JSC_"))) {
  delete process.env[name];
}
