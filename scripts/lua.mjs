// Checks the Lua of src/store/valkey with luacheck, by .luacheckrc: node scripts/lua.mjs
import { installLuacheck } from "./servers.mjs";
import { tryRun } from "./tasks.mjs";

/** Run luacheck; returns true if it finds nothing. */
export function checkLua() {
  const trouble = installLuacheck();
  if (trouble === null) return tryRun("luacheck", ["-q", "src/store/valkey"]).status === 0;
  console.error(trouble);
  return false;
}

if (process.argv[1] === new URL(import.meta.url).pathname && !checkLua()) process.exitCode = 1;
