// Runs the units in a booted systemd: npm run systemd. Needs root on Debian, and its packages
// mmdebstrap and systemd-container.
import { copyFileSync, cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { withSystem } from "./systemd/container.mjs";
import { ROOT } from "./tasks.mjs";

const [suite = "trixie"] = process.argv.slice(2);

function prepare(root) {
  cpSync(join(ROOT, "dist", "jobctl"), join(root, "usr", "local", "bin", "jobctl"));
  copyFileSync(join(ROOT, "scripts", "systemd", "checks.sh"), join(root, "root", "checks.sh"));
}

try {
  if (!existsSync(join(ROOT, "dist", "jobctl"))) throw new Error("Run npm run build first");
  process.exitCode = await withSystem({ suite, prepare }, (inside) => {
    const { status, stdout, stderr } = inside("bash", "/root/checks.sh");
    process.stderr.write(stderr);
    console.log(stdout.split("\n").filter((line) => /^(ok|FAIL) |failed$/.test(line)).join("\n"));
    return status;
  });
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
