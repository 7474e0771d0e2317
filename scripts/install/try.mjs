// Installs the real program with install.sh in new root folders, and runs the recipes in their
// tools: npm run install:try. Linux on x64; root for the root folders. Skips missing tools.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
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
import { parseArgs } from "node:util";
import { environment, install, ROOT } from "../tasks.mjs";

const USAGE = `Usage: npm run install:try -- [--release FOLDER]

  --release FOLDER  a release with the targets linux-x64 and linux-x64-musl (default: make one of all
                    targets, quickly compressed)`;
const LIBRARIES = "/usr/lib/x86_64-linux-gnu";
const MUSL_LOADER = "/lib/ld-musl-x86_64.so.1";

const { values } = parseArgs({
  options: { release: { type: "string" }, help: { type: "boolean", short: "h" } },
});
const work = mkdtempSync(join(tmpdir(), "jobctl-install-"));
// Builders that run as another user read from it.
chmodSync(work, 0o755);

function run(program, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    ...options,
    env: options.env ?? environment(),
  });
  if (error) throw error;
  if (status !== 0) {
    throw new Error(`${program} ${args.join(" ")} ended with ${status}\n${stdout}\n${stderr}`);
  }
  return stdout;
}

function has(...programs) {
  return programs.every((name) => spawnSync("which", [name]).status === 0);
}

/** Why a trial is skipped; null if it runs. */
function missing(...programs) {
  const absent = programs.filter((name) => !has(name));
  return absent.length === 0 ? null : `not run: no ${absent.join(", ")} here`;
}

/** Run the first jobs in a root folder. */
function firstJobs(root, release) {
  mkdirSync(join(root, "release"));
  for (const name of readdirSync(release)) {
    if (/^install\.sh$|^SHA256SUMS|linux-x64.*\.tar\.gz$/.test(name)) {
      copyFileSync(join(release, name), join(root, "release", name));
    }
  }
  copyFileSync(join(ROOT, "scripts/install/first_job.sh"), join(root, "first_job.sh"));
  const script = 'mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; ' +
    'exec env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root "$2" "$1" /bin/sh /first_job.sh';
  const chroot = run("which", ["chroot"]).trim();
  const args = ["--mount", "--pid", "--fork", "--net", "bash", "-euc"];
  const loopback = "ip link set lo up 2>/dev/null || :; ";
  const output = run("unshare", [...args, loopback + script, "bash", root, chroot]);
  if (!output.endsWith("ok\n")) throw new Error(output);
}

/** A root folder of busybox and musl, as Alpine is, with the libraries of this machine. */
function makeMuslRoot(root) {
  for (const name of ["bin", "lib", "usr/lib", "etc", "proc", "dev", "tmp", "root"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  chmodSync(join(root, "bin/busybox"), 0o755);
  for (const name of run("/bin/busybox", ["--list"]).trim().split("\n")) {
    if (name !== "busybox") symlinkSync("busybox", join(root, "bin", name));
  }
  copyFileSync(MUSL_LOADER, join(root, MUSL_LOADER));
  chmodSync(join(root, MUSL_LOADER), 0o755);
  rmSync(join(root, "bin/ldd"), { force: true });
  symlinkSync(MUSL_LOADER, join(root, "bin/ldd"));
  for (const name of ["libstdc++.so.6", "libgcc_s.so.1"]) {
    copyFileSync(join(LIBRARIES, name), join(root, "usr/lib", name));
  }
  const shim = join(root, "usr/lib/ld-linux-x86-64.so.2");
  const source = join(ROOT, "scripts/install/musl_shim.c");
  run("gcc", ["-w", "-shared", "-fPIC", "-nostdlib", "-o", shim, source]);
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\n");
}

const isRoot = process.getuid?.() === 0;

/** Each takes the folder of the release; returns the reason for a skip. */
const TRIALS = {
  "install.sh in Debian without zstd, curl and openssl": (release) => {
    const reason = isRoot ? missing("mmdebstrap") : "not run: needs root";
    if (reason !== null) return reason;
    const root = join(work, "debian");
    run("mmdebstrap", ["--quiet", "--variant=essential", "trixie", root]);
    firstJobs(root, release);
  },
  "install.sh in a root of busybox and musl": (release) => {
    const reason = isRoot ? missing("busybox", "gcc") : "not run: needs root";
    if (reason !== null) return reason;
    if (!existsSync(MUSL_LOADER)) return "not run: no musl here";
    makeMuslRoot(join(work, "musl"));
    firstJobs(join(work, "musl"), release);
  },
  "Homebrew formula": (release) => {
    const reason = missing("ruby");
    if (reason !== null) return reason;
    run("ruby", ["-c", join(release, "recipes/homebrew/jobctl.rb")]);
  },
  "Nix flake": (release) => {
    const reason = missing("nix-instantiate");
    if (reason !== null) return reason;
    run("nix-instantiate", ["--parse", join(release, "recipes/nix/flake.nix")]);
  },
  "PKGBUILD": (release) => {
    const reason = missing("makepkg", "pacman", "bsdtar", "fakeroot");
    if (reason !== null) return reason;
    const folder = join(work, "arch");
    cpSync(join(release, "recipes/arch"), folder, { recursive: true });
    for (const name of readdirSync(release)) {
      if (/linux-x64\.tar\.zst$/.test(name)) copyFileSync(join(release, name), join(folder, name));
    }
    if (isRoot) run("chown", ["-R", "nobody", folder]);
    const command = ["env", "PKGEXT=.pkg.tar", "makepkg", "--nodeps", "--force"];
    const [program, ...args] = isRoot ? ["runuser", "-u", "nobody", "--", ...command] : command;
    run(program, args, { cwd: folder });
    const [made] = readdirSync(folder).filter((name) => name.endsWith(".pkg.tar"));
    const names = run("tar", ["-tf", join(folder, made)]);
    if (!/^usr\/bin\/jobctl$/m.test(names)) throw new Error(names);
  },
  "Ansible role": (release) => {
    const reason = missing("ansible-playbook");
    if (reason !== null) return reason;
    const [target, play] = [join(work, "target"), join(work, "play.json")];
    const vars = {
      jobctl_base_url: `file://${release}`,
      jobctl_bin_dir: join(target, "bin"),
      jobctl_config_dir: join(target, "etc"),
      jobctl_config: `[store]\nurl = "sqlite:${target}/jobctl.db"\n`,
      jobctl_service: false,
      jobctl_user: "root",
    };
    const roles = [{ role: "jobctl" }];
    const plays = [{ name: "Try", hosts: "localhost", connection: "local", vars, roles }];
    writeFileSync(play, JSON.stringify(plays));
    const env = environment({
      ANSIBLE_ROLES_PATH: join(release, "recipes/ansible"),
      LC_ALL: "C.UTF-8",
    });
    mkdirSync(target);
    run("ansible-playbook", ["-i", "localhost,", play], { env });
    run(join(target, "bin/jobctl"), ["check", "--config", join(target, "etc/config.toml")]);
    const again = run("ansible-playbook", ["-i", "localhost,", play], { env });
    if (!/changed=0 /.test(again)) throw new Error(again);
    if (has("ansible-lint")) {
      const role = join(release, "recipes/ansible/jobctl");
      run("ansible-lint", ["--offline", role], { env, cwd: work });
    }
  },
};

function tryAll() {
  let release = values.release;
  if (release === undefined) {
    release = join(work, "release");
    const args = ["scripts/release.mjs", "--level=1", "--only=archive", `--out=${release}`];
    run("node", args, { cwd: ROOT });
  }
  let failed = 0;
  for (const [name, trial] of Object.entries(TRIALS)) {
    try {
      console.log(`${name}: ${trial(release) ?? "ok"}`);
    } catch (error) {
      failed += 1;
      console.log(`${name}: FAILED\n${error.message}`);
    }
  }
  return failed;
}

if (values.help) {
  console.log(USAGE);
} else {
  install();
  try {
    process.exitCode = tryAll() === 0 ? 0 : 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
