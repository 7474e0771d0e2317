import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { programPath, skipWithout } from "../../scripts/programs/install.mjs";
import { type TempDir, withTempDir } from "../support/temp_dir.ts";
import {
  busyboxWith,
  type Ended,
  type FakeRelease,
  KEY,
  LOADERS,
  makeFakeRelease,
  programOf,
  runScript,
  SHELL,
  SHELLS,
  SIGNERS,
  signFiles,
  systemWith,
  TARGET,
  treeOf,
  withServer,
  writeRelease,
  writeTool,
} from "../support/worlds/install_world.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/install/install.sh", import.meta.url));
const isLinux = process.platform === "linux";

/** What version 1.2.0 installs, with modes. */
const INSTALLED = [
  "755 bin",
  "755 bin/jobctl",
  "755 share",
  "755 share/bash-completion",
  "755 share/bash-completion/completions",
  "644 share/bash-completion/completions/jobctl",
  "755 share/doc",
  "755 share/doc/jobctl",
  "644 share/doc/jobctl/LICENSE",
  "755 share/fish",
  "755 share/fish/vendor_completions.d",
  "644 share/fish/vendor_completions.d/jobctl.fish",
  "755 share/jobctl",
  "644 share/jobctl/installed",
  "644 share/jobctl/jobctl.ps1",
  "755 share/man",
  "755 share/man/man1",
  "644 share/man/man1/jobctl.1",
  "755 share/nushell",
  "755 share/nushell/vendor",
  "755 share/nushell/vendor/autoload",
  "644 share/nushell/vendor/autoload/jobctl.nu",
  "755 share/zsh",
  "755 share/zsh/site-functions",
  "644 share/zsh/site-functions/_jobctl",
];

interface World {
  readonly dir: TempDir;
  readonly release: FakeRelease;
  readonly prefix: string;
  /** Run install.sh of the release; PATH is `tools`, or a system with curl, zstd and signers. */
  run(args: readonly string[], options?: {
    readonly shell?: readonly string[];
    readonly tools?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly script?: string;
  }): Promise<Ended>;
}

function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  return withTempDir({}, async (dir) => {
    const release = makeFakeRelease("1.2.0");
    const everything = systemWith(join(dir.path, "tools"), ["curl", "zstd", ...SIGNERS]);
    const prefix = join(dir.path, "the prefix");
    const script = dir.write("install.sh", release.script);
    await body({
      dir,
      release,
      prefix,
      run: (args, options = {}) =>
        runScript(options.shell ?? SHELL, [
          options.script ?? script,
          ...["--prefix", prefix, ...args],
        ], { PATH: options.tools ?? everything, HOME: dir.path, ...options.env }),
    });
  });
}

const versionOf = (prefix: string) =>
  spawnSync(join(prefix, "bin/jobctl"), ["--version"], { encoding: "utf8" }).stdout.trim();

test("install.sh is POSIX and without mistakes", { skip: skipWithout("shellcheck") }, () => {
  const { stdout } = spawnSync(programPath("shellcheck"), [SCRIPT], { encoding: "utf8" });
  assert.equal(stdout, "");
  assert.equal(statSync(SCRIPT).mode & 0o777, 0o755);
});

for (const [name, shell] of Object.entries(SHELLS)) {
  test(
    `install.sh installs and removes with ${name}`,
    { skip: !isLinux },
    () =>
      withWorld(({ release, prefix, run }) =>
        withServer(release.files, async (url) => {
          // A private umask of the shell must not hide the program from others.
          const umask = process.umask(0o077);
          const env = { TMPDIR: "/nonexistent" };
          const { code, text } = await run(["--from", url], { shell, env })
            .finally(() => process.umask(umask));
          assert.equal(code, 0, text);
          assert.match(
            text,
            /Checked: SHA-256 and signature \((minisign|openssl): jobctl 1\.2\.0, /,
          );
          assert.match(text, /sudo ".*the prefix\/bin\/jobctl" init \/etc\/jobctl/);
          assert.deepEqual(treeOf(prefix), INSTALLED);
          assert.equal(versionOf(prefix), "1.2.0");

          // A user's own file is in one of its folders.
          writeFileSync(join(prefix, "bin/mine"), "mine");
          const removed = await run(["--uninstall"], { shell });
          assert.equal(removed.code, 0, removed.text);
          assert.deepEqual(treeOf(prefix).map((line) => line.split(" ")[1]), ["bin", "bin/mine"]);
          assert.equal((await run(["--uninstall"], { shell })).code, 4);
        })
      ),
  );
}

for (const [at, loader] of LOADERS.entries()) {
  // What downloads makes no difference to what checks: each signer once, and none with each.
  for (const signer of [...SIGNERS.filter((_, index) => index % LOADERS.length === at), "none"]) {
    test(`install.sh works with ${loader}, ${signer} to check signatures, and no zstd`, {
      skip: !isLinux,
    }, () =>
      withWorld(({ dir, release, prefix, run }) =>
        withServer(release.files, async (url) => {
          const tools = systemWith(join(dir.path, "few"), [
            loader,
            ...(signer === "none" ? [] : [signer]),
          ]);
          const { code, text } = await run(["--from", url], { tools });
          assert.equal(code, 0, text);
          assert.match(text, /zstd is not installed, so this downloads the larger \.tar\.gz/);
          const checked = signer === "none"
            ? "the signature was not checked: found neither minisign"
            : `signature (${signer}: `;
          assert.ok(text.includes(checked), text);
          assert.equal(versionOf(prefix), "1.2.0");
          const strict = await run(["--from", url, "--require-signature"], { tools });
          assert.equal(strict.code, signer === "none" ? 1 : 0, strict.text);
        })
      ));
  }
}

test("install.sh works where every program is busybox", {
  skip: !isLinux || SHELLS["busybox"] === undefined,
}, () =>
  withWorld(({ dir, release, prefix, run }) =>
    withServer(release.files, async (url) => {
      const tools = busyboxWith(join(dir.path, "busybox"), []);
      const options = { tools, shell: SHELLS["busybox"]! };
      // The loader of musl can be on this machine.
      const args = ["--from", url, "--target", TARGET];
      const { code, text } = await run(args, options);
      assert.equal(code, 0, text);
      assert.deepEqual(treeOf(prefix), INSTALLED);
      release.files.delete(`jobctl-1.2.0-${TARGET}.tar.gz`);
      assert.match((await run(args, options)).text, /\.tar\.gz: wget ended with 1: .*404/);
      assert.equal((await run(["--uninstall"], options)).code, 0);
      assert.deepEqual(treeOf(prefix), []);
    })
  ));

test(
  "install.sh installs from a folder, without curl and wget",
  { skip: !isLinux },
  () =>
    withWorld(async ({ dir, release, prefix, run }) => {
      const folder = writeRelease(join(dir.path, "a mirror"), release);
      const tools = systemWith(join(dir.path, "few"), []);
      const { code, text } = await run(["--from", folder], { tools });
      assert.equal(code, 0, text);
      assert.equal(versionOf(prefix), "1.2.0");
      const online = await run([], { tools });
      assert.equal(online.code, 1);
      assert.match(online.text, /found neither curl nor wget/);
    }),
);

test(
  "install.sh upgrades, repairs, and goes back only with --force",
  { skip: !isLinux },
  () =>
    withWorld(async ({ dir, release, prefix, run }) => {
      const from = (version: string) =>
        writeRelease(
          join(dir.path, version),
          version === "1.2.0" ? release : makeFakeRelease(version),
        );
      assert.equal((await run(["--from", from("1.2.0")])).code, 0);
      assert.match(
        (await run(["--from", from("1.2.0")])).text,
        /Reinstalled .*\/bin\/jobctl 1\.2\.0/,
      );
      const upgraded = await run(["--from", from("1.10.0-rc.1")]);
      assert.match(upgraded.text, /Installed .*\/bin\/jobctl 1\.\d+\.\S+ \(was 1\.2\.0\)/);
      assert.match((await run(["--from", from("1.10.0")])).text, /was 1\.10\.0-rc\.1/);
      const refused = await run(["--from", from("1.9.9")]);
      assert.equal(refused.code, 1);
      assert.match(refused.text, /is the newer 1\.10\.0/);
      assert.equal(versionOf(prefix), "1.10.0");
      assert.equal((await run(["--from", from("1.9.9"), "--force"])).code, 0);
      assert.equal(versionOf(prefix), "1.9.9");
      // Signed well, but not what was asked for.
      const other = await run(["--from", from("1.2.0"), "--version", "1.9.9"]);
      assert.match(other.text, /has no jobctl-1\.9\.9-/);
      assert.deepEqual(treeOf(prefix), INSTALLED);
      assert.equal((await run(["--uninstall"])).code, 0);
      assert.deepEqual(treeOf(prefix), []);
    }),
);

test(
  "install.sh keeps files of others and changed files",
  { skip: !isLinux },
  () =>
    withWorld(async ({ dir, release, prefix, run }) => {
      const folder = writeRelease(join(dir.path, "mirror"), release);
      const precious = dir.write("precious", "precious");
      const program = join(prefix, "bin/jobctl");
      mkdirSync(join(prefix, "bin"), { recursive: true });
      symlinkSync(precious, program);
      const refused = await run(["--from", folder]);
      assert.equal(refused.code, 1);
      assert.match(refused.text, /the file exists, and this script did not install it/);
      assert.deepEqual(treeOf(prefix), ["755 bin", "644 bin/jobctl"]);
      assert.equal((await run(["--from", folder, "--force"])).code, 0);
      assert.equal(versionOf(prefix), "1.2.0");
      assert.equal(readFileSync(precious, "utf8"), "precious");

      writeFileSync(program, programOf("9.9.9"));
      const kept = await run(["--uninstall"]);
      assert.equal(kept.code, 1);
      assert.match(kept.text, /Kept because it was changed: .*bin\/jobctl/);
      assert.equal(versionOf(prefix), "9.9.9");
      assert.equal((await run(["--uninstall", "--force"])).code, 0);
      assert.deepEqual(treeOf(prefix), ["755 bin"]);
    }),
);

test(
  "install.sh says that a daemon runs",
  { skip: !isLinux || SHELLS["dash"] === undefined },
  () =>
    withWorld(async ({ dir, release, prefix, run }) => {
      const folder = writeRelease(join(dir.path, "mirror"), release);
      assert.equal((await run(["--from", folder])).code, 0);
      const program = join(prefix, "bin/jobctl");
      writeTool(join(prefix, "bin"), "jobctl", readFileSync("/bin/dash", "latin1"));
      const { spawn } = await import("node:child_process");
      writeFileSync(program, readFileSync("/bin/dash"));
      const daemon = spawn(program, ["-c", "echo; read line", "serve", "--config=x"]);
      try {
        await new Promise((resolve) => daemon.stdout.once("data", resolve));
        const refused = await run(["--uninstall"]);
        assert.equal(refused.code, 1);
        assert.match(refused.text, new RegExp(`a daemon runs \\(process ${daemon.pid}\\)`));
        const { code, text } = await run(["--from", folder]);
        assert.equal(code, 0, text);
        assert.match(
          text,
          new RegExp(`A daemon still runs the old file \\(process ${daemon.pid}\\)`),
        );
      } finally {
        daemon.stdin.end();
      }
    }),
);

test(
  "install.sh finds the C library of the system",
  { skip: !isLinux },
  () =>
    withWorld(async ({ dir, run }) => {
      const musl = makeFakeRelease("1.2.0", { target: `${TARGET}-musl` });
      const folder = writeRelease(join(dir.path, "mirror"), musl);
      const tools = systemWith(join(dir.path, "few"), ["zstd"]);
      writeTool(tools, "ldd", "#!/bin/sh\necho 'musl libc (x86_64)' >&2\nexit 1\n");
      const { code, text } = await run(["--from", folder], { tools });
      assert.equal(code, 0, text);
      assert.ok(text.includes(`for ${TARGET}-musl from`), text);
      writeTool(tools, "uname", "#!/bin/sh\n[ $1 = -m ] && echo riscv64 || echo Linux\n");
      assert.match((await run([], { tools })).text, /no program for its processor riscv64/);
      writeTool(tools, "uname", "#!/bin/sh\n[ $1 = -m ] && echo x86_64 || echo FreeBSD\n");
      assert.match((await run([], { tools })).text, /this script knows Linux and macOS/);
    }),
);

test(
  "install.sh explains why a program does not run",
  { skip: !isLinux },
  () =>
    withWorld(async ({ dir, prefix, run }) => {
      const { tar } = await import("../../scripts/release/archive.mjs");
      const answers = {
        "echo 1.2.1": /says that it is "1\.2\.1", not 1\.2\.0/,
        "echo 'Error loading shared library libstdc++.so.6' >&2; exit 127":
          /hint: Install the libraries first: apk add libstdc\+\+ libgcc/,
      };
      for (const [line, expected] of Object.entries(answers)) {
        const path = `jobctl-1.2.0-${TARGET}/jobctl`;
        const bytes = Buffer.from(`#!/bin/sh\n${line}\n`);
        const archive = tar([{ path, bytes, mode: 0o755 }], { atMs: 0 });
        const folder = writeRelease(
          join(dir.path, "mirror"),
          makeFakeRelease("1.2.0", { archive }),
        );
        const { code, text } = await run(["--from", folder]);
        assert.equal(code, 1);
        assert.match(text, expected);
        assert.deepEqual(treeOf(prefix), []);
      }
    }),
);

test(
  "install.sh refuses options that it does not know or cannot use",
  { skip: !isLinux },
  () =>
    withWorld(async ({ dir, run }) => {
      const refused: readonly (readonly [string[], RegExp])[] = [
        [["--frobnicate"], /"--frobnicate": not an option/],
        [["--version"], /--version: it needs a value/],
        [["--version", "../x"], /--version: not a version/],
        [["--force=yes"], /--force: it takes no value/],
        [["--target", "plan9"], /"plan9": not a system/],
        [["--key", "a b"], /--key: not a public key/],
        [["--from", "http://example.com/x"], /http is for this machine only/],
        [["--from", "http://127.0.0.1@example.com/x"], /http is for this machine only/],
        [["--from", "http://localhost:80x/"], /http is for this machine only/],
        [["--from", "ftp://localhost/"], /not an address with https/],
        [["--from", "https://localhost/a b"], /has a space/],
        [["--from", "/nonexistent"], /\/nonexistent: not a folder/],
      ];
      for (const [args, expected] of refused) {
        const { code, text } = await run(args);
        assert.ok(code === 2 || code === 4, text);
        assert.match(text, expected);
      }
      assert.match((await run(["--help"])).text, /^Usage: install\.sh/);
      const unbuilt = await run([], { script: SCRIPT });
      assert.match(unbuilt.text, /this script is not from a release/);
      // A password in an address is not shown.
      const secret = await run(["--from", "https://me:hunter2@127.0.0.1:1/x"]);
      assert.equal(secret.code, 1);
      assert.match(secret.text, /https:\/\/\*\*\*@127\.0\.0\.1:1\/x\/SHA256SUMS/);
      assert.ok(!secret.text.includes("hunter2"), secret.text);
      assert.deepEqual(treeOf(join(dir.path, "the prefix")), []);
    }),
);

test(
  "install.sh takes another public key",
  { skip: !isLinux || SIGNERS.length === 0 },
  () =>
    withWorld(async ({ dir, release, run }) => {
      const folder = writeRelease(join(dir.path, "mirror"), release);
      const plain = await run(["--from", folder], { script: SCRIPT });
      assert.match(plain.text, /not checked: this script has no public key/);
      const keyed = await run(["--from", folder, `--key=${KEY.publicKey}`], { script: SCRIPT });
      assert.match(keyed.text, /SHA-256 and signature/);
      signFiles(release.files, "jobctl 1.1.0, commit 0123");
      writeRelease(folder, release);
      const old = await run(["--from", folder]);
      assert.equal(old.code, 5);
      assert.match(old.text, /signed as "jobctl 1\.1\.0, commit 0123", not as version 1\.2\.0/);
    }),
);
