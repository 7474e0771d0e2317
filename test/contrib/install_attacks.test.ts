import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { type Entry, tar } from "../../scripts/release/archive.mjs";
import { withTempDir } from "../support/temp_dir.ts";
import {
  busyboxWith,
  entriesOf,
  LOADERS,
  makeFakeRelease,
  runScript,
  SHELL,
  SHELLS,
  SIGNERS,
  signFiles,
  systemWith,
  TARGET,
  treeOf,
  whereIs,
  withServer,
  writeRelease,
  writeTool,
} from "../support/worlds/install_world.ts";

/** install.sh against bad servers, bad archives, and its own death at any step. */

const TLS = fileURLToPath(new URL("../support/tls/", import.meta.url));
const skip = process.platform !== "linux";
const GZ = `jobctl-1.2.0-${TARGET}.tar.gz`;
/** The steps of a run that are killed, one in so many: `npm run slow -- install` kills each. */
const KILL_EVERY = Number(process.env["TS_JOB_INSTALL_KILL_EVERY"] ?? 23);

/** Change a byte in the middle. */
function corrupted(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length >> 1]! ^= 1;
  return copy;
}

/** Ways in which a release of a server is not what was signed; `signer` says that one is needed. */
const BAD_RELEASES: Readonly<
  Record<string, {
    readonly change: (files: Map<string, Uint8Array>) => void;
    readonly expected: RegExp;
    readonly code: number;
    readonly needsSigner?: true;
    /** The download itself fails, as the loader says. */
    readonly isOfLoader?: true;
  }>
> = {
  "a corrupted archive": {
    change: (files) => files.set(GZ, corrupted(files.get(GZ)!)),
    expected: /its SHA-256 is [0-9a-f]{64}, but SHA256SUMS has/,
    code: 5,
  },
  "a cut archive": {
    change: (files) => files.set(GZ, files.get(GZ)!.subarray(0, 200)),
    expected: /its SHA-256 is/,
    code: 5,
  },
  "a cut archive with good sums": {
    change: (files) => {
      files.set(GZ, files.get(GZ)!.subarray(0, 200));
      signFiles(files, "jobctl 1.2.0");
    },
    expected: /it is not complete/,
    code: 1,
  },
  "a missing archive": {
    change: (files) => files.delete(GZ),
    expected: /\.tar\.gz: (curl|wget) ended with \d+: .*404/,
    code: 1,
    isOfLoader: true,
  },
  "missing sums": {
    change: (files) => files.delete("SHA256SUMS"),
    expected: /SHA256SUMS: (curl|wget) ended with \d+: .*404/,
    code: 1,
    isOfLoader: true,
  },
  "huge sums": {
    change: (files) => files.set("SHA256SUMS", new Uint8Array(1e6)),
    expected: /it is larger than 65536 bytes/,
    code: 1,
    isOfLoader: true,
  },
  "other sums": {
    change: (files) => {
      files.set(GZ, corrupted(files.get(GZ)!));
      const signature = files.get("SHA256SUMS.minisig")!;
      signFiles(files, "jobctl 1.2.0");
      files.set("SHA256SUMS.minisig", signature);
    },
    expected: /its signature is wrong/,
    code: 5,
    needsSigner: true,
  },
  "a changed comment": {
    change: (files) => {
      const text = Buffer.from(files.get("SHA256SUMS.minisig")!).toString();
      files.set("SHA256SUMS.minisig", Buffer.from(text.replace("commit 0123", "commit 4567")));
    },
    expected: /its signature is wrong/,
    code: 5,
    needsSigner: true,
  },
  "no signature": {
    change: (files) => files.delete("SHA256SUMS.minisig"),
    expected: /Cannot check the signature: .*404/,
    code: 5,
    isOfLoader: true,
    needsSigner: true,
  },
};

for (const loader of LOADERS) {
  for (const [name, bad] of Object.entries(BAD_RELEASES)) {
    const { change, expected, code, needsSigner, isOfLoader } = bad;
    if (needsSigner && SIGNERS.length === 0) continue;
    // What arrives is the same with every loader.
    if (!isOfLoader && loader !== LOADERS[0]) continue;
    test(
      `install.sh refuses ${name} with ${loader}`,
      { skip },
      () =>
        withTempDir({}, async ({ path, write }) => {
          const release = makeFakeRelease("1.2.0");
          change(release.files);
          const prefix = join(path, "prefix");
          const script = write("install.sh", release.script);
          // Each signer has its turn where a signature is wrong.
          for (const signer of needsSigner ? SIGNERS : SIGNERS.slice(0, 1)) {
            const PATH = systemWith(join(path, signer), [loader, signer]);
            await withServer(release.files, async (url) => {
              const args = [script, "--from", url, "--prefix", prefix];
              const ended = await runScript(SHELL, args, { PATH });
              assert.match(ended.text, expected);
              assert.equal(ended.code, code, ended.text);
              assert.ok(!existsSync(prefix), "something was left");
            });
          }
        }),
    );
  }

  test(
    `install.sh gives up on a server that stalls, with ${loader}`,
    { skip },
    () =>
      withTempDir({}, async ({ path, write }) => {
        const { files, script } = makeFakeRelease("1.2.0");
        const PATH = systemWith(join(path, "tools"), [loader]);
        await withServer(files, async (url) => {
          const args = [write("install.sh", script), "--from", url, "--prefix", join(path, "p")];
          const { code, text } = await runScript(SHELL, args, {
            PATH,
            JOBCTL_INSTALL_TIMEOUT: "1",
          });
          assert.equal(code, 1);
          assert.match(text, /Cannot get .*\.tar\.gz: (curl ended with 28|wget ended with 124)/);
          assert.ok(!existsSync(join(path, "p")), "something was left");
        }, ({ url }, response) => {
          if (url !== `/${GZ}`) return false;
          response.writeHead(200, { "content-length": "1000" }).write("x");
          return true;
        });
      }),
  );

  test(
    `install.sh refuses a connection that ends early, with ${loader}`,
    { skip },
    () =>
      withTempDir({}, async ({ path, write }) => {
        const { files, script } = makeFakeRelease("1.2.0");
        const PATH = systemWith(join(path, "tools"), [loader]);
        await withServer(files, async (url) => {
          const args = [write("install.sh", script), "--from", url, "--prefix", join(path, "p")];
          const { code, text } = await runScript(SHELL, args, { PATH });
          assert.equal(code, 1, text);
          assert.match(text, /Cannot get .*\.tar\.gz: (curl ended with 18|wget ended with \d)/);
        }, ({ url }, response) => {
          if (url !== `/${GZ}`) return false;
          response.writeHead(200, { "content-length": "1000" });
          response.write("x", () => response.destroy());
          return true;
        });
      }),
  );

  test(
    `install.sh follows https to https only, with ${loader}`,
    { skip },
    () =>
      withTempDir({}, async ({ path, write }) => {
        const { files, script } = makeFakeRelease("1.2.0");
        const PATH = systemWith(join(path, "tools"), [loader]);
        const ca = join(TLS, "server.crt");
        const env = { PATH, CURL_CA_BUNDLE: ca, WGETRC: write("wgetrc", `ca_certificate=${ca}\n`) };
        const args = [write("install.sh", script), "--prefix", join(path, "p")];
        let onward = "";
        const key = readFileSync(join(TLS, "server.key"));
        const secure = createServer({ key, cert: readFileSync(ca) }, ({ url }, response) => {
          if (url!.startsWith("/moved/")) {
            response.writeHead(302, { location: `${onward}${url!.slice(6)}` }).end();
          } else response.end(files.get(url!.slice(1)));
        });
        await new Promise<void>((resolve) => secure.listen(0, "127.0.0.1", resolve));
        const { port } = secure.address() as AddressInfo;
        try {
          await withServer(files, async (url) => {
            const from = ["--from", `https://localhost:${port}/moved`];
            onward = url;
            const refused = await runScript(SHELL, [...args, ...from], env);
            assert.equal(refused.code, 1, refused.text);
            assert.match(
              refused.text,
              /Cannot get .*SHA256SUMS: (curl ended with 1:|the server redirects)/,
            );
            onward = "";
            const moved = await runScript(SHELL, [...args, ...from], env);
            assert.equal(moved.code, 0, moved.text);
            // Without the certificate of this server, nothing is trusted.
            const distrusted = await runScript(SHELL, [...args, ...from], { PATH });
            assert.equal(distrusted.code, 1);
          });
          onward = `https://localhost:${port}`;
          await withServer(new Map(), async (url) => {
            const { code } = await runScript(SHELL, [...args, "--from", url], env);
            assert.equal(code, 1);
          }, ({ url }, response) => {
            response.writeHead(302, { location: `${onward}${url}` }).end();
            return true;
          });
        } finally {
          secure.closeAllConnections();
          secure.close();
        }
      }),
  );
}

test("install.sh does not use a wget that checks no certificates", {
  skip: skip || SHELLS["busybox"] === undefined,
}, () =>
  withTempDir({}, async ({ path, write }) => {
    const { files, script } = makeFakeRelease("1.2.0");
    const PATH = busyboxWith(join(path, "tools"), []);
    const tls = {
      key: readFileSync(join(TLS, "server.key")),
      cert: readFileSync(join(TLS, "server.crt")),
    };
    const server = createServer(tls, ({ url }, response) => response.end(files.get(url!.slice(1))));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const from = `https://localhost:${(server.address() as AddressInfo).port}`;
      const args = [write("install.sh", script), "--from", from, "--prefix", join(path, "p")];
      const { code, text } = await runScript(SHELLS["busybox"]!, args, { PATH });
      assert.equal(code, 1, text);
      // Some busyboxes cannot agree on a cipher with this server.
      assert.match(text, /this wget does not check certificates|Cannot get .*SHA256SUMS/);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }));

/** An archive with one more entry of another type; tar() makes files only. */
function archiveWith(extra: Entry, type = "0", link = ""): Uint8Array {
  const last = Buffer.from(tar([extra], { atMs: 0 }));
  last.write(type, 156, "latin1");
  last.write(link, 157, "latin1");
  last.write("        ", 148, "latin1");
  const sum = last.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  last.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  const good = Buffer.from(tar(entriesOf("1.2.0"), { atMs: 0 }));
  return Buffer.concat([good.subarray(0, -1024), last]);
}

const FOLDER = `jobctl-1.2.0-${TARGET}`;
const file = (path: string) => ({ path, bytes: Buffer.from("evil"), mode: 0o644 });
const nothing = (path: string) => ({ path, bytes: Buffer.alloc(0), mode: 0o777 });
const BAD_ARCHIVES: Readonly<Record<string, () => Uint8Array>> = {
  "a name with ..": () => archiveWith(file(`${FOLDER}/../../evil`)),
  "an absolute name": () => archiveWith(file("/tmp/jobctl-install-evil")),
  "a name in another folder": () => archiveWith(file("other/evil")),
  "a name with a space": () => archiveWith(file(`${FOLDER}/man/a b.1`)),
  "a name with a line break": () => archiveWith(file(`${FOLDER}/x\n/etc/evil`)),
  "a symbolic link": () => archiveWith(nothing(`${FOLDER}/man`), "2", "/tmp"),
  "a hard link": () => archiveWith(nothing(`${FOLDER}/man/x.1`), "1", "/etc/passwd"),
  "a pipe": () => archiveWith(nothing(`${FOLDER}/man/x.1`), "6"),
  "too many files": () =>
    tar(Array.from({ length: 501 }, (_, index) => nothing(`${FOLDER}/man/${index}.1`)), {
      atMs: 0,
    }),
};

for (const [name, makeArchive] of Object.entries(BAD_ARCHIVES)) {
  test(
    `install.sh refuses an archive with ${name}`,
    { skip },
    () =>
      withTempDir({}, async ({ path, write }) => {
        const release = makeFakeRelease("1.2.0", { archive: makeArchive() });
        const from = writeRelease(join(path, "mirror"), release);
        const before = treeOf(path);
        const script = write("install.sh", release.script);
        const args = [script, "--from", from, "--prefix", join(path, "p"), "--target", TARGET];
        const systems = [systemWith(join(path, "tools"), [])];
        if (SHELLS["busybox"]) systems.push(busyboxWith(join(path, "busybox"), []));
        for (const PATH of systems) {
          const { code, text } = await runScript(SHELL, args, { PATH });
          assert.equal(code, 1, text);
          assert.match(text, /Cannot unpack .*: it has /);
          const known = /^\d+ (tools|busybox|install\.sh)/;
          assert.deepEqual(treeOf(path).filter((line) => !known.test(line)), before);
        }
      }),
  );
}

test(
  "install.sh runs nothing if its download was cut",
  { skip },
  () =>
    withTempDir({}, async ({ path }) => {
      const release = makeFakeRelease("1.2.0");
      const from = writeRelease(join(path, "mirror"), release);
      const PATH = systemWith(join(path, "tools"), []);
      // Were it to run, it would install here; without arguments, too.
      const env = { PATH, HOME: path };
      const script = release.script.replace(/^built_address=.*$/m, `built_address='${from}'`);
      const lines = script.split("\n").map((_, index, all) =>
        all.slice(0, index).join("\n").length
      );
      const last = Array.from({ length: 20 }, (_, index) => script.length - 1 - index);
      for (const length of [...lines.filter((_, index) => index % 40 === 0), ...last.slice(1)]) {
        for (const [program, ...args] of [SHELL, SHELLS["bash"] ?? SHELL]) {
          spawnSync(program!, [...args, "-s", "--", "--from", from, "--prefix", join(path, "p")], {
            input: script.slice(0, length),
            env,
          });
        }
        assert.ok(!existsSync(join(path, "p")) && !existsSync(join(path, ".local")), `${length}`);
      }
      const args = ["-s", "--", "--from", from, "--prefix", join(path, "p")];
      const whole = spawnSync(SHELL[0]!, args, { input: script, env, encoding: "utf8" });
      assert.equal(whole.status, 0, whole.stderr);
    }),
);

test(
  "install.sh does not follow a manifest out of its prefix",
  { skip },
  () =>
    withTempDir({}, async ({ path, write }) => {
      const release = makeFakeRelease("1.2.0");
      const from = writeRelease(join(path, "mirror"), release);
      const prefix = join(path, "p");
      const args = [write("install.sh", release.script), "--prefix", prefix];
      const env = { PATH: systemWith(join(path, "tools"), []) };
      assert.equal((await runScript(SHELL, [...args, "--from", from], env)).code, 0);
      const precious = write("precious", "precious");
      mkdirSync(join(path, "empty"));
      const manifest = join(prefix, "share/jobctl/installed");
      const lines = ["file x ../precious", `file x ${precious}`, "folder - ../empty", "folder - ."];
      writeFileSync(manifest, `${readFileSync(manifest, "utf8")}${lines.join("\n")}\n`);
      const { code, text } = await runScript(SHELL, [...args, "--uninstall", "--force"], env);
      assert.equal(code, 0, text);
      assert.deepEqual(treeOf(prefix), []);
      assert.ok(existsSync(precious) && existsSync(join(path, "empty")));
    }),
);

test(
  "install.sh leaves a whole version behind when it is killed at any step",
  { skip },
  () =>
    withTempDir({}, async ({ path, write }) => {
      const [old, next] = ["1.2.0", "1.3.0"].map((version) => {
        const release = makeFakeRelease(version);
        const from = writeRelease(join(path, version), release);
        return [write(`install-${version}.sh`, release.script), "--from", from];
      });
      const good = { PATH: systemWith(join(path, "good"), []) };
      const deadly = systemWith(join(path, "deadly"), []);
      const [count, pid] = [join(path, "count"), join(path, "pid")];
      // Each call of a tool that changes something is a step; before the wanted one, all die.
      for (const tool of ["mv", "rm", "mkdir", "chmod", "tar", "sync", "mktemp"]) {
        writeTool(
          deadly,
          tool,
          `#!/bin/sh\necho x >> '${count}'\n` +
            `if [ "$(wc -l < '${count}')" = "$KILL_AT" ]; then kill -9 "$(cat '${pid}')"; exit 1; fi\n` +
            `exec '${whereIs(tool)}' "$@"\n`,
        );
      }
      const prefix = join(path, "p");
      const options = ["--prefix", prefix];
      let killed = 0;
      for (let at = 1;; at += KILL_EVERY) {
        writeFileSync(count, "");
        assert.equal((await runScript(SHELL, [...old!, ...options, "--force"], good)).code, 0);
        const env = { PATH: deadly, KILL_AT: `${at}` };
        const start = `echo $$ > '${pid}'; exec "$@"`;
        const { code } = await runScript(
          ["/bin/sh", "-c", start, "start", ...SHELL],
          [...next!, ...options],
          env,
        );
        const { stdout } = spawnSync(join(prefix, "bin/jobctl"), ["--version"], {
          encoding: "utf8",
        });
        assert.match(stdout, code === 0 ? /^1\.3\.0\n$/ : /^1\.[23]\.0\n$/, `killed at ${at}`);
        if (at % 2 === 0) {
          const again = await runScript(SHELL, [...next!, ...options], good);
          assert.equal(again.code, 0, again.text);
        }
        const removed = await runScript(
          SHELL,
          [...old!.slice(0, 1), ...options, "--uninstall"],
          good,
        );
        assert.equal(removed.code, 0, removed.text);
        const left = treeOf(prefix).filter((line) => !line.includes(".jobctl-install."));
        assert.deepEqual(left, [], `killed at ${at}`);
        if (code === 0) break;
        killed += 1;
      }
      assert.ok(killed >= 3, `${killed}`);
    }),
);

test(
  "install.sh does not write through a link that has the name of its own files",
  { skip },
  () =>
    withTempDir({}, async ({ path, write }) => {
      const release = makeFakeRelease("1.2.0");
      const from = writeRelease(join(path, "mirror"), release);
      const precious = write("precious", "precious");
      const prefix = join(path, "p");
      mkdirSync(join(prefix, "share/man/man1"), { recursive: true });
      symlinkSync(precious, join(prefix, "share/man/man1/jobctl.1"));
      const args = [write("install.sh", release.script), "--prefix", prefix, "--from", from];
      const env = { PATH: systemWith(join(path, "tools"), []) };
      assert.equal((await runScript(SHELL, args, env)).code, 1);
      assert.equal((await runScript(SHELL, [...args, "--force"], env)).code, 0);
      assert.equal(readFileSync(precious, "utf8"), "precious");
    }),
);

test(
  "install.sh of root uses no folder that other users can write to",
  { skip: skip || process.getuid?.() !== 0 },
  () =>
    withTempDir({ "etc/precious": "precious" }, async ({ path, write }) => {
      const release = makeFakeRelease("1.2.0");
      const from = writeRelease(join(path, "mirror"), release);
      const prefix = join(path, "p");
      const args = [write("install.sh", release.script), "--prefix", prefix, "--from", from];
      const env = { PATH: systemWith(join(path, "tools"), []) };
      // The owner of the prefix lists a file of root's, behind a link, and has a program ready.
      const sum = createHash("sha256").update("precious").digest("hex");
      mkdirSync(join(prefix, "share/jobctl"), { recursive: true });
      mkdirSync(join(prefix, "bin"));
      writeTool(join(prefix, "bin"), "jobctl", `#!/bin/sh\n: >${path}/ran\n`);
      symlinkSync(join(path, "etc"), join(prefix, "share/x"));
      writeFileSync(join(prefix, "share/jobctl/installed"), `file ${sum} share/x/precious\n`);
      const places = ["", "bin", "bin/jobctl", "share", "share/jobctl", "share/jobctl/installed"];
      for (const place of places) {
        chownSync(join(prefix, place), 65_534, 65_534);
        for (const more of [[], ["--uninstall"]]) {
          const { code, text } = await runScript(SHELL, [...args, ...more], env);
          assert.equal(code, 3, text);
          assert.match(text, /as root: other users can write to \S+\nhint: Run this as the user/);
        }
        chownSync(join(prefix, place), 0, 0);
      }
      assert.equal(readFileSync(join(path, "etc/precious"), "utf8"), "precious");
      assert.ok(!existsSync(join(path, "ran")));
      chmodSync(path, 0o757);
      assert.equal((await runScript(SHELL, args, env)).code, 3);
      chmodSync(path, 0o1777);
      assert.equal((await runScript(SHELL, [...args, "--force"], env)).code, 0);
      assert.equal((await runScript(SHELL, args, env)).code, 0);
    }),
);

test(
  "install.sh takes no release that is older than itself, unless it is named",
  { skip },
  () =>
    withTempDir({}, async ({ path, write }) => {
      const script = write("install.sh", makeFakeRelease("1.3.0").script);
      const from = writeRelease(join(path, "mirror"), makeFakeRelease("1.2.0"));
      const args = [script, "--prefix", join(path, "p"), "--from", from];
      const env = { PATH: systemWith(join(path, "tools"), []) };
      const { code, text } = await runScript(SHELL, args, env);
      assert.equal(code, 5, text);
      assert.match(text, /has 1\.2\.0, but this script is of 1\.3\.0\nhint: .*--version 1\.2\.0/);
      assert.equal((await runScript(SHELL, [...args, "--version", "1.2.0"], env)).code, 0);
    }),
);
