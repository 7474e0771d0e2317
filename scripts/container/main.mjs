// Builds the image of contrib/container/Dockerfile with buildah and checks it in podman: npm run
// container. Needs root on Debian, and its packages buildah, podman, crun and mmdebstrap. No
// registry is used: the base image is made of Debian's packages. Everything is in a temporary
// folder.
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectManifest } from "../pack/manifest.mjs";
import { sha256 } from "../release/documents.mjs";
import { ROOT, run, tryRun } from "../tasks.mjs";

const BASE = "docker.io/library/debian:trixie-slim";
const NAME = `jobctl-${projectManifest().version}-linux-${process.arch}`;

/** The folder of a release; without one, a folder with an archive of dist/jobctl. */
function releaseIn(folder) {
  const made = join(ROOT, "dist", "release");
  if (existsSync(join(made, `${NAME}.tar.zst`))) return made;
  const program = join(ROOT, "dist", "jobctl");
  if (!existsSync(program)) throw new Error("Run npm run release or npm run build first");
  const files = join(folder, NAME);
  const release = join(folder, "release");
  mkdirSync(files);
  mkdirSync(release);
  cpSync(program, join(files, "jobctl"));
  copyFileSync(join(ROOT, "LICENSE"), join(files, "LICENSE"));
  writeFileSync(join(files, "THIRD-PARTY-NOTICES"), "See npm run release.\n");
  const archive = join(release, `${NAME}.tar.zst`);
  run("tar", ["-C", folder, "-I", "zstd -3", "-cf", archive, NAME]);
  writeFileSync(join(release, "SHA256SUMS"), `${sha256(readFileSync(archive))}  ${NAME}.tar.zst\n`);
  return release;
}

/** The limits that this machine allows: the default ones may be higher. */
function limit(name) {
  const line = readFileSync("/proc/self/limits", "utf8").split("\n").find((each) =>
    each.startsWith(name)
  );
  return line.slice(name.length).trim().split(/\s+/).slice(0, 2).join(":");
}

const folder = mkdtempSync(join(tmpdir(), "jobctl-container-"));
const at = (...parts) => join(folder, ...parts);
const env = {
  CONTAINERS_STORAGE_CONF: at("storage.conf"),
  CONTAINERS_CONF: at("containers.conf"),
  PODMAN_IGNORE_CGROUPSV1_WARNING: "1",
  TMPDIR: folder,
};
// crun refuses the mixture of both versions of cgroups that some machines have. The mount is this command's own.
const ALONE = 'umount -l -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"';
const inside = (command, args, stdio = "inherit") =>
  tryRun("unshare", ["--mount", "sh", "-c", ALONE, "sh", command, ...args], { env, stdio });

let status = 1;
try {
  writeFileSync(
    at("storage.conf"),
    `[storage]\ndriver = "vfs"\ngraphroot = "${at("graph")}"\nrunroot = "${at("run")}"\n`,
  );
  const limits = [`nproc=${limit("Max processes")}`, `nofile=${limit("Max open files")}`];
  const text = limits.filter((each) => !each.includes("unlimited")).map((each) => `"${each}"`);
  writeFileSync(at("containers.conf"), `[containers]\ndefault_ulimits = [${text.join(", ")}]\n`);
  const release = releaseIn(folder);
  console.log(`Release: ${release}`);
  const root = at("base.tar");
  run("mmdebstrap", ["--quiet", "--variant=minbase", "--include=zstd", "trixie", root]);
  if (inside("podman", ["import", "--quiet", root, BASE]).status !== 0) throw new Error("No base");
  rmSync(root);
  const file = join(ROOT, "contrib", "container", "Dockerfile");
  const build = [
    "build",
    "--quiet",
    "--format",
    "docker",
    "--isolation",
    "chroot",
    "--network",
    "host",
  ];
  const built = inside("buildah", [...build, "-t", "jobctl", "-f", file, release]);
  if (built.status !== 0) throw new Error("The image was not built");
  // An archive that does not match its sum gives no image.
  const changed = at("changed");
  mkdirSync(changed);
  for (const name of readdirSync(release).filter((each) => /zst$|SUMS$/.test(each))) {
    cpSync(join(release, name), join(changed, name));
  }
  writeFileSync(join(changed, `${NAME}.tar.zst`), "changed", { flag: "a" });
  const refused =
    inside("buildah", [...build, "-t", "changed", "-f", file, changed], "ignore").status !== 0;
  console.log(`${refused ? "ok" : "FAIL"} a changed archive is refused`);
  const checks = join(ROOT, "scripts", "container", "checks.sh");
  status = inside("sh", [checks, folder]).status;
  if (!refused) status = 1;
} catch (error) {
  console.error(error.message);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = status;
