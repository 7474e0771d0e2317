// Runs the units in a booted systemd: npm run systemd. Needs root on Debian, and its packages mmdebstrap and systemd-container.
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./tasks.mjs";

const BOOT_MS_MAX = 60_000;
const PACKAGES = "systemd,systemd-sysv,dbus,procps";

const [suite = "trixie"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "jobctl-systemd-"));
const root = join(folder, "root");

function run(program, args, options = {}) {
  const { status, error } = spawnSync(program, args, { stdio: "inherit", ...options });
  if (error) throw error;
  return status;
}

/** The first process of the container below a process of ours; null if it has not begun. */
function leaderOf(pid) {
  for (const name of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
    try {
      const levels = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))[1].split(
        "\t",
      );
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

function inside(leader, ...command) {
  const env = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
  };
  return spawnSync("nsenter", ["-t", leader, "-a", "--", ...command], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function booted(container) {
  for (const end = Date.now() + BOOT_MS_MAX; Date.now() < end;) {
    const leader = leaderOf(container.pid);
    const { stdout = "" } = leader === null ? {} : inside(leader, "systemctl", "is-system-running");
    if (/^(running|degraded)/.test(stdout)) return leader;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error("The system did not boot");
}

let status = 1;
let container = null;
try {
  if (!existsSync(join(ROOT, "dist", "jobctl"))) throw new Error("Run npm run build first");
  const made = run("mmdebstrap", [
    "--quiet",
    "--variant=minbase",
    `--include=${PACKAGES}`,
    suite,
    root,
  ]);
  if (made !== 0) throw new Error("Cannot make a root folder");
  cpSync(join(ROOT, "dist", "jobctl"), join(root, "usr", "local", "bin", "jobctl"));
  copyFileSync(join(ROOT, "scripts", "systemd", "checks.sh"), join(root, "root", "checks.sh"));
  container = spawn("unshare", [
    "--mount",
    "--fork",
    "sh",
    join(ROOT, "scripts/systemd/boot.sh"),
    root,
  ], {
    stdio: "ignore",
  });
  const leader = await booted(container);
  const { status: result, stdout } = inside(leader, "bash", "/root/checks.sh");
  console.log(stdout.split("\n").filter((line) => /^(ok|FAIL) |failed$/.test(line)).join("\n"));
  status = result;
  const ended = new Promise((resolve) => container.once("exit", resolve));
  inside(leader, "systemctl", "--no-block", "poweroff");
  const late = setTimeout(() => process.kill(Number(leader), "SIGKILL"), 20_000);
  await ended;
  clearTimeout(late);
} catch (error) {
  console.error(error.message);
  container?.kill("SIGKILL");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = status;
