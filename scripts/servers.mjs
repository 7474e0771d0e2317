// The servers that tests and `npm run services` use, and luacheck: Debian's packages. Plain Node
// 20.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Program by Debian package: servers, and minisign, which our signatures are compared with. */
const SERVERS = {
  "valkey-server": "valkey-server",
  "etcd-server": "etcd",
  "etcd-client": "etcdctl",
  "minisign": "minisign",
};

/** Whether a program is on the PATH. */
function isThere(program) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function aptGet(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync("apt-get", args, { env, stdio: ["ignore", 2, 2] }).status === 0;
}

/**
 * Install missing programs with apt-get.
 *
 * @returns a message with the problem and its remedy; null if all are installed
 */
function installPrograms(programs) {
  const missing = Object.keys(programs).filter((name) => !isThere(programs[name]));
  if (missing.length === 0) return null;
  const names = missing.join(" and ");
  if (!existsSync("/usr/bin/apt-get")) {
    const wanted = missing.map((name) => programs[name]).join(" and ");
    return `Cannot install ${names}: there is no apt-get here. Put ${wanted} on the PATH`;
  }
  const remedy = `Run as root: apt-get install ${missing.join(" ")}`;
  if (process.getuid() !== 0) return `Cannot install ${names}: not root. ${remedy}`;
  const args = ["install", "-y", "-qq", "--no-install-recommends", ...missing];
  if (aptGet(["update", "-qq"]) && aptGet(args)) return null;
  return `Cannot install ${names}: apt-get failed, see above. ${remedy}`;
}

/** Install missing servers. Returns as {@link installPrograms}. */
export function installServers() {
  return installPrograms(SERVERS);
}

/** Install luacheck if it is missing. Returns as {@link installPrograms}. */
export function installLuacheck() {
  return installPrograms({ "lua-check": "luacheck" });
}
