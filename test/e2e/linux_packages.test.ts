import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { skipWithout } from "../../scripts/programs/install.mjs";
import { withTempDir } from "../support/temp_dir.ts";

/**
 * The packages for Debian and Fedora, with a small program in the place of jobctl. `npm run debian`
 * checks and installs one with jobctl.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SCRIPTS = ["preinst", "postinst", "prerm", "postrm", "config"];
const WITHOUT_DEBIAN = { skip: skipWithout("dpkg-deb", "readelf", "shellcheck") };
const WITHOUT_RPM = { skip: skipWithout("rpm", "rpmbuild") };

function run(command: string, args: readonly string[], options: { readonly cwd?: string } = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: "utf8",
    ...options,
  });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

function make(kind: "deb" | "rpm", folder: string): string {
  return run(join(ROOT, "node_modules/.bin/bun"), [
    "scripts/release/local_package.mjs",
    kind,
    "--out",
    folder,
    "--program",
    "/usr/bin/true",
  ]).trim();
}

test(
  "the package for Debian has no mistakes",
  WITHOUT_DEBIAN,
  () =>
    withTempDir({}, ({ path }) => {
      const deb = make("deb", path);
      assert.match(basename(deb), /^jobctl_[\w.~]+-1_(amd64|arm64)\.deb$/);
      const fields = run("dpkg-deb", ["--field", deb]);
      assert.match(fields, /^Depends: libc6 \(>= 2\.\d+\), /m);

      const lines = run("dpkg-deb", ["--contents", deb]).trim().split("\n");
      const files = lines.map((line) => /^(\S+) (\S+) .*? \.\/(.*)$/.exec(line)!);
      assert.deepEqual([...new Set(files.map((file) => file[2]))], ["root/root"]);
      const modes = new Map(files.map((file) => [file[3]!, file[1]!]));
      assert.equal(modes.get("usr/bin/jobctl"), "-rwxr-xr-x");
      for (
        const name of [
          "etc/jobctl/jobs/",
          "usr/lib/systemd/system/jobctl.service",
          "usr/lib/systemd/system/jobctl-root.service",
          "usr/lib/sysusers.d/jobctl.conf",
          "usr/lib/tmpfiles.d/jobctl.conf",
          "usr/share/bash-completion/completions/jobctl",
          "usr/share/nushell/vendor/autoload/jobctl.nu",
          "usr/share/jobctl/jobctl.ps1",
          "usr/share/man/man1/jobctl.1.gz",
          "usr/share/man/man5/jobctl.toml.5.gz",
          "usr/share/doc/jobctl/copyright",
          "usr/share/doc/jobctl/operations.md",
        ]
      ) assert.ok(modes.has(name), name);

      const control = join(path, "control");
      run("dpkg-deb", ["--control", deb, control]);
      const listed = readFileSync(join(control, "conffiles"), "utf8").trim().split("\n");
      const inEtc = files.map((file) => file[3]!).filter((name) => /^etc\/.*[^/]$/.test(name));
      assert.deepEqual(listed.sort(), inEtc.map((name) => `/${name}`).sort());
      for (const name of SCRIPTS) {
        run("/bin/sh", ["-n", join(control, name)]);
        run("shellcheck", ["--exclude=SC1091", join(control, name)]);
      }
    }),
);

/** The purge of the Debian package with its folders below `root`, in its own mount namespace. */
function purgeBelow(root: string, account: string, prepare: string) {
  const script = readFileSync(join(ROOT, "contrib/debian/postrm"), "utf8")
    .replaceAll("/usr/share/debconf", "/nonexistent")
    .replaceAll("deb-systemd-helper", "no-helper")
    .replaceAll(/(?<=[\s])\/(?=(?:var|etc|run)\/)/g, `${root}/`);
  const tools = join(root, "tools");
  mkdirSync(tools);
  const tool = (name: string, text: string) =>
    writeFileSync(join(tools, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  tool("getent", account === "" ? "exit 2" : `echo "${account}"`);
  tool("userdel", `echo "$1" >>${root}/deleted`);
  tool("groupdel", "exit 0");
  writeFileSync(join(root, "postrm"), script);
  return spawnSync("unshare", ["--mount", "sh", "-ec", `${prepare}\nsh ${root}/postrm purge`], {
    encoding: "utf8",
    env: { PATH: `${tools}:/usr/sbin:/usr/bin:/sbin:/bin` },
  });
}

const OWN_ACCOUNT = "jobctl:x:990:990::/var/lib/jobctl:/usr/sbin/nologin";
const canMount = spawnSync("unshare", ["--mount", "true"]).status === 0;

test(
  "the purge of the Debian package spares what is mounted in its folders",
  { skip: !canMount },
  () =>
    withTempDir({ "var/lib/jobctl/old": "", "elsewhere/kept": "" }, ({ path }) => {
      const mounted = join(path, "var/lib/jobctl/nas");
      mkdirSync(mounted);
      const { status, stderr } = purgeBelow(
        path,
        OWN_ACCOUNT,
        `mount --bind ${path}/elsewhere ${mounted}`,
      );
      assert.equal(status, 0, stderr);
      assert.ok(existsSync(join(path, "elsewhere/kept")));
      assert.match(stderr, /Not removed: .*jobctl, below which a file system is mounted/);
      assert.equal(readFileSync(join(path, "deleted"), "utf8"), "jobctl\n");
    }),
);

test(
  "the purge of the Debian package ends well if its data is a file system of its own",
  { skip: !canMount },
  () =>
    withTempDir({ "var/lib/jobctl/.keep": "", "disk/jobctl.db": "" }, ({ path }) => {
      const prepare = `mount --bind ${path}/disk ${path}/var/lib/jobctl`;
      const { status, stderr } = purgeBelow(path, OWN_ACCOUNT, prepare);
      assert.equal(status, 0, stderr);
      assert.deepEqual(readdirSync(join(path, "disk")), []);
    }),
);

test(
  "the purge of the Debian package keeps a user of the administrator",
  { skip: !canMount },
  () =>
    withTempDir({ "var/lib/jobctl/old": "" }, ({ path }) => {
      const person = "jobctl:x:1000:1000::/home/jobctl:/bin/bash";
      const { status, stderr } = purgeBelow(path, person, ":");
      assert.equal(status, 0, stderr);
      assert.match(stderr, /Not removed: the user jobctl, which this package did not create/);
      assert.ok(!existsSync(join(path, "deleted")));
      assert.ok(!existsSync(join(path, "var/lib/jobctl")));
    }),
);

test("the configuration of the packages is valid, and its job runs", () =>
  withTempDir({
    "config.toml": readFileSync(join(ROOT, "contrib/package/config.toml")),
    "conf.d/hello.toml": readFileSync(join(ROOT, "contrib/package/hello.toml")),
    "jobs/.keep": "",
  }, ({ path }) => {
    const program = join(ROOT, "dist", "jobctl");
    const [hello] = JSON.parse(run(program, ["check", "-o", "json"], { cwd: path })).jobs;
    assert.equal(hello.kind, "hello");
  }));

test(
  "the package for Fedora has its files, and no path of the build",
  WITHOUT_RPM,
  () =>
    withTempDir({}, ({ path }) => {
      const rpm = make("rpm", path);
      assert.match(basename(rpm), /^jobctl-[\w.~]+-1\.(x86_64|aarch64)\.rpm$/);
      const query = (...args: readonly string[]) => run("rpm", ["-qp", ...args, rpm]);
      assert.deepEqual(query("--configfiles").trim().split("\n"), [
        "/etc/jobctl/conf.d/hello.toml",
        "/etc/jobctl/config.toml",
      ]);
      const files = query("--list").trim().split("\n");
      assert.ok(files.includes("/usr/bin/jobctl"));
      assert.ok(files.includes("/usr/share/licenses/jobctl/LICENSE"));
      assert.ok(files.includes("/usr/lib/systemd/system-preset/80-jobctl.preset"));
      const scripts = query("--scripts");
      for (const part of scripts.split(/^\w+ scriptlet .*$/m).slice(1)) {
        const { status, stderr } = spawnSync("/bin/sh", ["-n"], { input: part, encoding: "utf8" });
        assert.equal(status, 0, stderr);
      }
      assert.ok(!query("--dump", "--info", "--scripts").includes("jobctl-package-"));
      assert.deepEqual(readdirSync(path), [basename(rpm)]);
    }),
);
