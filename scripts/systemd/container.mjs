// A Debian system that is booted with systemd in a container. Needs root on Debian, and its packages
// mmdebstrap and systemd-container.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../tasks.mjs";

const BOOT_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;
const PACKAGES = ["systemd", "systemd-sysv", "dbus", "procps"];
const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
};

/**
 * Make a system without Node, boot it, and remove it after `body`.
 *
 * @param options.suite such as "trixie"
 * @param options.include more packages of Debian
 * @param options.prepare called with the root folder before it boots
 * @param body called with a function that runs a command as root in the system: it takes the
 *   command, and returns what `spawnSync` does
 * @returns what `body` returns
 */
export async function withSystem({ suite, include = [], prepare }, body) {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-systemd-"));
  const root = join(folder, "root");
  let container = null;
  try {
    makeRoot(root, suite, include);
    prepare(root);
    container = spawn("unshare", [
      ...["--mount", "--fork", "sh", join(ROOT, "scripts/systemd/boot.sh"), root],
    ], { stdio: "ignore" });
    const leader = await booted(container);
    const result = await body((...command) => inside(leader, command));
    await powerOff(container, leader);
    return result;
  } catch (error) {
    container?.kill("SIGKILL");
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Make the root folder of a system. */
export function makeRoot(root, suite, include = []) {
  const packages = [...PACKAGES, ...include].join();
  const args = ["--quiet", "--variant=minbase", `--include=${packages}`, suite, root];
  const { status, error } = spawnSync("mmdebstrap", args, { stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) throw new Error("Cannot make a root folder");
}

/** The first process of the container below a process of ours; null before its start. */
function leaderOf(pid) {
  for (const name of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
    try {
      const text = readFileSync(`/proc/${name}/status`, "utf8");
      const levels = /^NSpid:\s*(.*)$/m.exec(text)[1].split("\t");
      if (levels.length < 2 || levels.at(-1) !== "1") continue;
      for (let at = name; Number(at) > 1;) {
        if (at === String(pid)) return name;
        at = /\) \S (\d+)/.exec(readFileSync(`/proc/${at}/stat`, "utf8"))[1];
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return null;
}

function inside(leader, command) {
  return spawnSync("nsenter", ["-t", leader, "-a", "--", ...command], {
    env: ENVIRONMENT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function booted(container) {
  for (const end = Date.now() + BOOT_MS_MAX; Date.now() < end;) {
    const leader = leaderOf(container.pid);
    const { stdout } = leader === null
      ? { stdout: "" }
      : inside(leader, ["systemctl", "is-system-running"]);
    if (/^(running|degraded)/.test(stdout)) return leader;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error("The system did not boot");
}

async function powerOff(container, leader) {
  const ended = new Promise((resolve) => container.once("exit", resolve));
  inside(leader, ["systemctl", "--no-block", "poweroff"]);
  const late = setTimeout(() => process.kill(Number(leader), "SIGKILL"), STOP_MS_MAX);
  await ended;
  clearTimeout(late);
}
