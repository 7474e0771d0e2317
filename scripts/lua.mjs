// Checks the Lua of src/store/valkey with luacheck, by .luacheckrc: node scripts/lua.mjs
import { isMain } from "./is_main.mjs";
import { installGroups } from "./programs/install.mjs";
import { tryRun } from "./tasks.mjs";

/** Run luacheck; returns true if it finds nothing. */
export function checkLua() {
  const missing = installGroups(["lint"]);
  if (missing.length === 0) return tryRun("luacheck", ["-q", "src/store/valkey"]).status === 0;
  console.error(missing.join("\n"));
  return false;
}

if (isMain(import.meta.url) && !checkLua()) process.exitCode = 1;
