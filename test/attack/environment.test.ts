import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { createServer } from "node:tls";
import { JOBCTL, runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { tlsFile } from "../support/tls_files.ts";
import { sleep } from "../support/wait.ts";

/** Run `body` in a folder with a script that tells by a file that it was executed. */
async function withScript(
  body: (
    parts: { readonly dir: string; readonly script: string; wasRun(): boolean },
  ) => Promise<void>,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-environment-"));
  const mark = join(dir, "mark");
  const script = join(dir, "script.cjs");
  writeFileSync(script, `require("node:fs").writeFileSync(${JSON.stringify(mark)}, "");\n`);
  try {
    await body({ dir, script, wasRun: () => existsSync(mark) });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

test("no variable has the compiled file load code before its own, or write files", async () => {
  await withScript(async ({ dir, script, wasRun }) => {
    const before = readdirSync(dir);
    const variables = {
      BUN_OPTIONS: [
        `--preload=${script}`,
        `--require=${script}`,
        `--config=${dir}/none.toml`,
        `--cwd=${dir}/none`,
        `--cpu-prof --cpu-prof-dir=${dir}`,
        `--print 1`,
      ],
      BUN_INSPECT_PRELOAD: [script],
      BUN_BE_BUN: ["1"],
      BUN_BYTECODE_ORDER_OUT: [join(dir, "order")],
      NODE_OPTIONS: [`--require=${script}`, `--import=${script}`],
      NODE_PATH: [dir],
      NODE_V8_COVERAGE: [dir],
    };
    for (const [name, values] of Object.entries(variables)) {
      for (const value of values) {
        const ran = await runJobctl(["--version"], { env: { [name]: value }, cwd: dir });
        assert.match(ran.stdout, /^\d+\.\d+\.\d+\S*\n$/, `${name}=${value}: ${ran.stderr}`);
        assert.equal(ran.code, 0);
      }
    }
    assert.ok(!wasRun());
    assert.deepEqual(readdirSync(dir), before);
  });
});

test("BUN_BE_BUN=1 does not make the compiled file run a script", async () => {
  await withScript(async ({ script, wasRun }) => {
    const ran = await runJobctl([script], { env: { BUN_BE_BUN: "1" } });
    assert.equal(ran.code, 2, ran.stdout);
    assert.ok(!wasRun());
  });
});

test("options of the engine are not taken from the environment and are refused by name", async () => {
  for (const value of ["1", "2"]) {
    const ran = await runJobctl(["--version"], { env: { BUN_JSC_dumpOptions: value } });
    assert.equal(ran.code, 2);
    assert.equal(ran.stdout, "");
    assert.match(ran.stderr, /^jobctl: [^\n]*BUN_JSC_dumpOptions[^\n]*\nhint: [^\n]*\n$/);
  }
  const ran = await runJobctl(["--version"], { env: { JSC_dumpOptions: "2" } });
  assert.equal(ran.stderr, "");
});

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

test("no variable opens a debugger in a daemon or its workers, and none of them reaches a job", async () => {
  await withScript(async ({ dir, script, wasRun }) => {
    const port = 20_000 + process.pid % 20_000;
    const out = join(dir, "out");
    const daemon = await startDaemon({
      toml: `[jobs.look]\nrun = 'env > "${out}"'\n`,
      modules: {
        "wait.ts": "export default () => new Promise<void>((done) => setTimeout(done, 200));",
      },
      env: {
        BUN_INSPECT: `127.0.0.1:${port}`,
        BUN_INSPECT_CONNECT_TO: `127.0.0.1:${port}`,
        BUN_INSPECT_PRELOAD: script,
        BUN_OPTIONS: `--inspect=127.0.0.1:${port} --preload=${script}`,
        NODE_OPTIONS: `--inspect=127.0.0.1:${port}`,
      },
    });
    try {
      for (const kind of ["look", "wait"]) {
        const ran = await daemon.jobctl(["schedule", kind, "--wait"]);
        assert.equal(ran.code, 0, ran.stderr);
      }
      assert.equal(await isOpen(port), false);
      assert.ok(!wasRun());
      assert.doesNotMatch(readFileSync(out, "utf8"), /^(?:BUN_|NODE_)/m);
    } finally {
      await daemon.stop({ force: true });
    }
  });
});

test("no variable has a daemon or a client print what their connections carry", async () => {
  const token = "a-token-that-traces-would-show";
  const traces = {
    GRPC_VERBOSITY: "DEBUG",
    GRPC_TRACE: "all",
    GRPC_NODE_VERBOSITY: "DEBUG",
    GRPC_NODE_TRACE: "all",
    NODE_DEBUG: "*",
  };
  const daemon = await startDaemon({
    toml: `[server.auth]\ntokens = [{ name = "one", role = "viewer", token = "${token}" }]\n`,
    env: { ...traces, JOBCTL_STORE_URL: "memory:" },
  });
  try {
    const args = [
      "list",
      "jobs",
      "--all",
      "-o",
      "name",
      "--port",
      String(daemon.port),
      "--token",
      token,
    ];
    const ran = await runJobctl(args, { env: traces });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stderr, "");
    assert.match(ran.stdout, /^system\./);
    assert.ok(!daemon.log().includes(token), daemon.log());
    assert.doesNotMatch(daemon.log(), /^D |NODE_DEBUG/m);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("certificates are checked whatever NODE_TLS_REJECT_UNAUTHORIZED says", async () => {
  const [cert, key] = ["server.crt", "server.key"] as const;
  let received = 0;
  const server = createServer({
    cert: readFileSync(tlsFile(cert)),
    key: readFileSync(tlsFile(key)),
    ALPNProtocols: ["h2"],
  }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      received += bytes.length;
      socket.destroy();
    });
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const args = ["status", "--tls", "--host", "127.0.0.1", "--port", String(port)];
    const env = { NODE_TLS_REJECT_UNAUTHORIZED: "0", JOBCTL_TOKEN: "secret" };
    const ran = await runJobctl(args, { env });
    assert.notEqual(ran.code, 0);
    assert.equal(received, 0, "it spoke to a server that nobody vouches for");
  } finally {
    server.close();
  }
});

function resultOf(stdout: string): string {
  return String(JSON.parse(stdout).results).trim();
}

test("jobs have the limit of open files that the daemon was started with", async () => {
  const root = mkdtempSync(join(tmpdir(), "jobctl-limits-"));
  try {
    mkdirSync(join(root, "jobs"));
    writeFileSync(
      join(root, "jobs", "count.ts"),
      `import { spawnSync } from "node:child_process";
export default function count(): string {
  return spawnSync("/bin/sh", ["-c", "ulimit -Sn; ulimit -Hn"]).stdout.toString();
}
`,
    );
    writeFileSync(
      join(root, "config.toml"),
      `modules = ["jobs"]
[server]
port = 0
http = ""
socket = "${root}/sock"
auth.token_file = "${root}/token"
[store]
url = "memory:"
[jobs.shell]
run = "(ulimit -Sn; ulimit -Hn) > $JOB_RESULT_FILE"
[jobs.own]
limits = { open_files = 300 }
run = "(ulimit -Sn; ulimit -Hn) > $JOB_RESULT_FILE"
`,
    );
    const script = 'ulimit -Sn 777 && ulimit -Hn 1500 && exec "$0" serve --config config.toml';
    const daemon = spawn("/bin/sh", ["-c", script, JOBCTL], {
      cwd: root,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    daemon.stderr!.on("data", (chunk) => log += String(chunk));
    const exited = new Promise((resolve) => daemon.once("exit", resolve));
    try {
      for (let tries = 0; !log.includes("is ready") && tries < 500; tries++) await sleep(20);
      const limits = /open files +(\d+) +(\d+)/.exec(
        spawnSync("cat", [`/proc/${daemon.pid}/limits`], { encoding: "utf8" }).stdout,
      );
      assert.deepEqual(limits?.slice(1), ["1500", "1500"], log);
      const wanted = { shell: "777\n1500", count: "777\n1500", own: "300\n300" };
      for (const [kind, text] of Object.entries(wanted)) {
        const ran = await runJobctl(["schedule", kind, "--wait", "-o", "json"], {
          env: { JOBCTL_SOCKET: join(root, "sock") },
        });
        assert.equal(ran.code, 0, ran.stderr);
        assert.equal(resultOf(ran.stdout), text, kind);
      }
    } finally {
      daemon.kill("SIGKILL");
      await exited;
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
