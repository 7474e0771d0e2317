// Runs commands in control groups of a real kernel with systemd, in a virtual machine: npm run cgroups [SUITE].
// Needs root on Debian, and its packages mmdebstrap, qemu-system-x86 and cpio. It takes 20 minutes or more, as it emulates the processor.
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { makeRoot } from "../systemd/container.mjs";
import { ROOT } from "../tasks.mjs";

const [suite = "trixie"] = process.argv.slice(2);
const KERNEL = "linux-image-cloud-amd64";
const MEMORY_MIB = 3_072;
const RUN_MS_MAX = 5_400_000;
const UNIT = `[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /root/checks.sh
ExecStopPost=/usr/bin/systemctl --no-block poweroff --force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=multi-user.target
`;

function call(command, args, options = {}) {
  const { status, error, stdout } = spawnSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 30,
    ...options,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`);
  return stdout;
}

/** The kernel of Debian, without installing it. @returns the path of its image */
function fetchKernel(folder) {
  const [, name] = /^Depends: (\S+)/m.exec(
    call("apt-cache", ["show", "--no-all-versions", KERNEL]),
  );
  call("apt-get", ["download", "--quiet", "-o", "APT::Sandbox::User=root", name], { cwd: folder });
  const archive = readdirSync(folder).find((each) => each.startsWith(name));
  call("dpkg-deb", ["--extract", join(folder, archive), folder]);
  return join(
    folder,
    "boot",
    readdirSync(join(folder, "boot")).find((each) => each.startsWith("vmlinuz")),
  );
}

function prepare(root) {
  cpSync(join(ROOT, "dist", "jobctl"), join(root, "usr", "local", "bin", "jobctl"));
  copyFileSync(join(ROOT, "scripts", "cgroups", "checks.sh"), join(root, "root", "checks.sh"));
  const units = join(root, "etc", "systemd", "system");
  writeFileSync(join(units, "checks.service"), UNIT);
  mkdirSync(join(units, "multi-user.target.wants"), { recursive: true });
  symlinkSync("../checks.service", join(units, "multi-user.target.wants", "checks.service"));
  for (const name of ["var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"]) {
    rmSync(join(root, name), { recursive: true, force: true });
  }
  symlinkSync("usr/lib/systemd/systemd", join(root, "init"));
}

const isResult = (line) => /^(ok|FAIL) |^ +\| |failed$/.test(line);

/** Boot it, and print its results as they come. Returns the machine's output. */
async function boot(kernel, image) {
  const child = spawn("qemu-system-x86_64", [
    ...["-machine", "accel=tcg", "-cpu", "max", "-smp", "2", "-m", String(MEMORY_MIB)],
    ...["-kernel", kernel, "-initrd", image, "-nographic", "-no-reboot", "-net", "none"],
    ...["-append", "console=ttyS0 quiet panic=-1 systemd.show_status=no"],
  ], { stdio: ["ignore", "pipe", "inherit"] });
  const printed = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    printed.push(line);
    if (isResult(line)) console.log(line);
  });
  const late = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  clearTimeout(late);
  return printed;
}

const folder = mkdtempSync(join(tmpdir(), "jobctl-cgroups-"));
try {
  if (!existsSync(join(ROOT, "dist", "jobctl"))) throw new Error("Run npm run build first");
  const kernel = fetchKernel(folder);
  const root = join(folder, "root");
  makeRoot(root, suite);
  prepare(root);
  const image = join(folder, "image");
  call("sh", ["-c", `find . | cpio --quiet --create --format=newc > ${image}`], { cwd: root });
  const printed = await boot(kernel, image);
  const last = printed.findLast(isResult);
  if (last !== "0 failed") {
    if (!last?.endsWith("failed")) console.error(printed.join("\n").slice(-4_000));
    process.exitCode = 1;
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
