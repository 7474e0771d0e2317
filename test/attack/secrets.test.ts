import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:http2";
import { join, relative } from "node:path";
import test from "node:test";
import { gunzipSync } from "node:zlib";
import { type Daemon, runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { framed, rawCall } from "../support/raw_grpc.ts";
import { findLeaks } from "../support/secret_forms.ts";
import { until } from "../support/wait.ts";

/**
 * A distinct secret in every input that takes one, every output made to happen, and each searched
 * for all of them. Secrets of letters, such as tokens, and some of characters that JSON, URLs and
 * shells write otherwise.
 */
const SECRETS = {
  file: `f1le-cañary'"\\?+&=/<x>-7c1fd0a2b6e94d83`,
  env: `env canary/"q"&%20;$HOME-51b0c77de2a94f0c`,
  variable: "variable-canary-e3d5a90b1c7f42d68a",
  whole: "whole-canary-0d9b8c7a6f5e4d3c2b1a",
  line: "pem-canary-line-MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
  urlPassword: "url-canary-98ad0f3bc1",
  token: "token-canary-62f0e1d8b7a594c3",
  other: "other-canary-4b1d9e8f7a6c5032",
  storePassword: "store-canary-c3a1b5d7e9f02468",
  inline: "inline-canary-77aa55cc33ee11bb",
} as const;

const PEM = `-----BEGIN PRIVATE KEY-----\n${SECRETS.line}\n-----END PRIVATE KEY-----\n`;
const DATABASE_URL = `postgres://app:${SECRETS.urlPassword}@db.example/app`;

const ENV = {
  CANARY_ENV: SECRETS.env,
  CANARY_VARIABLE: SECRETS.variable,
  CANARY_WHOLE: SECRETS.whole,
  CANARY_URL: DATABASE_URL,
  CANARY_OTHER: SECRETS.other,
};

const ENV_TABLE =
  `{ FILE = { file = "secret" }, PEM = { file = "pem" }, ENV = { env = "CANARY_ENV" }, \
VARIABLE = "x\${CANARY_VARIABLE}y", WHOLE = "\${CANARY_WHOLE}", DATABASE_URL = { env = "CANARY_URL" }, PLAIN = "plain-value" }`;

/** Kinds of jobs of the module, of the commands, and of the modules that cannot be loaded. */
const MODULE_KINDS = [
  "prints",
  "cuts",
  "fails",
  "failsLong",
  "returns",
  "late",
  "exits",
  "handles",
  "children",
] as const;
const COMMAND_KINDS = ["shell", "results", "traced", "longLines"] as const;
const BROKEN = ["message", "name", "cut", "cause", "aggregate", "exit", "text"] as const;

const PRELUDE = `
import { readFileSync } from "node:fs";
const all = ["FILE", "ENV", "VARIABLE", "WHOLE", "PEM", "DATABASE_URL"].map((name) => process.env[name]!);
const text = all.join(" ");
// Not given to this job: the daemon masks it, its worker cannot.
const token = readFileSync(new URL("../token-secret", import.meta.url), "utf8");
const forms = all.flatMap((one) => [
  one, JSON.stringify({ one }), JSON.stringify(JSON.stringify([one])), encodeURIComponent(one),
  new URLSearchParams({ one }).toString(), Buffer.from(one).toString("hex"),
  ...["", "a", "ab"].flatMap((before) => {
    return (["base64", "base64url"] as const).map((form) => Buffer.from(before + one + "z").toString(form));
  }),
]);
`;

const MODULE = `${PRELUDE}
import { readFile } from "node:fs/promises";
import { writeSync } from "node:fs";
import type { Context, Instance } from "ts-job";

class Custom extends Error {
  constructor(options?: ErrorOptions) { super("\\x1b[31m\\u202e in the message " + text + token, options); this.name = "Name" + token + text; }
  code = text;
  toString() { return text; }
}

export default [
  {
    kind: "prints",
    description: "described by " + text,
    run(ctx: Context): void {
      for (const form of [...forms, token]) { console.log(form); console.error("e", form); ctx.log.warn(form); }
      console.log(process.env);
      console.log({ nested: [all] });
      process.stdout.write("writes "); for (const one of all) {
        process.stdout.write(one.slice(0, 9)); process.stdout.write(one.slice(9) + "\\n");
      }
      console.log("control \\x1b[31m \\x9b31m \\u202e end");
    },
  },
  {
    kind: "cuts",
    run(ctx: Context): void {
      for (const one of all) {
        for (const before of [8_192 - one.length + 3, 8_192 - 9, 8_192 - 3 - Math.ceil(one.length / 2)]) {
          const line = "-".repeat(before) + one + "-".repeat(300);
          console.log(line); console.error(line); ctx.log.info(line);
          process.stdout.write(line + "\\n"); writeSync(2, line + "\\n");
        }
      }
    },
  },
  {
    kind: "fails",
    run(): void {
      throw Object.assign(new Custom({ cause: new AggregateError([new Custom()], text) }), { note: text });
    },
  },
  { kind: "failsLong", run(): void { throw new Error("-".repeat(8_192 - 24) + text + text); } },
  { kind: "returns", run(): unknown { return { [text]: forms, token, again: [[text]], pem: process.env.PEM, n: 1.50 }; } },
  { kind: "late", run(): void { void readFile("/proc/self/stat").then(() => { throw new Custom(); }); } },
  { kind: "exits", run(): void { process.on("exit", () => console.error("at exit", text)); console.log(text); process.exit(3); } },
  {
    kind: "handles",
    run(): void { throw new Error("first " + text); },
    onTerminate(instance: Instance, error: Error): Error { instance.log.error(error.message); return new Custom(); },
    onStateChange(): void { console.log(text); throw new Custom(); },
  },
  {
    kind: "children",
    async run(ctx: Context): Promise<void> {
      await ctx.manager.scheduleJob("nosuch" + process.env.WHOLE).catch((error) => console.log(error.message));
      throw text;
    },
  },
];
`;

const BROKEN_MODULES: Readonly<Record<(typeof BROKEN)[number], string>> = {
  message: `throw new Error(text + token);`,
  name: `throw Object.assign(new Error("m"), { name: text });`,
  cut: `throw Object.assign(new Error("m"), { name: "-".repeat(175) + process.env.WHOLE });`,
  cause: `throw new Error("outer", { cause: new Error(text) });`,
  aggregate: `throw new AggregateError([new Error(text)], text);`,
  exit: `process.stderr.write("error: " + text); process.exit(4);`,
  text: `throw text;`,
};

const COMMANDS = String.raw`
[jobs.shell]
run = '''
printf '%s\n' "$FILE" "$ENV" "$PEM" "$VARIABLE" "$WHOLE" "$DATABASE_URL"; env
printf %s "$FILE" | base64; printf 'ab%s' "$WHOLE" | base64 -w0; printf '%s' "$PEM" | base64
printf %s "$VARIABLE" | od -An -v -tx1 | tr -d ' \n'; echo
printf 'half %s' "$(printf %s "$WHOLE" | cut -c1-9)"; sleep 0.05; printf '%s\n' "$(printf %s "$WHOLE" | cut -c10-)"
echo "cannot connect with $FILE and $ENV" >&2
exit 3
'''
env = ${ENV_TABLE}

[jobs.results]
run = 'printf "[\"%s\", {\"%s\": 12}]" "$VARIABLE" "$WHOLE" > "$JOB_RESULT_FILE"'
env = ${ENV_TABLE}

[jobs.traced]
run = 'set -x; : "$FILE" "$ENV" "$WHOLE"; kill -9 $$'
env = ${ENV_TABLE}

[jobs.longLines]
run = '''
for secret in "$FILE" "$ENV" "$WHOLE"; do
  for before in 8152 8180 8188; do
    head -c $before /dev/zero | tr '\0' '='; printf '%s' "$secret"; head -c 9000 /dev/zero | tr '\0' '='; echo
  done
done
'''
env = ${ENV_TABLE}
`;

const TOML = `
${COMMANDS}
[server.auth]
tokens = [{ name = "canary", role = "viewer", token = { file = "token-secret" } }]

[jobs.unnamed]
run = "true"
schedule = "\${CANARY_OTHER}"
env = { OTHER = { env = "CANARY_OTHER" } }

[jobs.inline]
isolation = "inline"

${
  [...MODULE_KINDS, ...BROKEN.map((name) => `broken_${name}`)]
    .map((kind) => `[jobs.${kind}]\nenv = ${ENV_TABLE}\n`).join("\n")
}
`;

const INLINE = `
export default {
  kind: "inline",
  isolation: "inline",
  run(): string { return process.env.CANARY_OTHER! + "-" + process.env.CANARY_WHOLE; },
};
`;

const FILES = {
  "canary.ts": MODULE,
  "inline.ts": INLINE,
  ...Object.fromEntries(
    BROKEN.map((name) => [`broken_${name}.ts`, PRELUDE + BROKEN_MODULES[name]]),
  ),
  "../secret": `${SECRETS.file}\n`,
  "../pem": PEM,
  "../token-secret": SECRETS.token,
};

/** What each output shows of the secrets, by the name of the output. */
class Outputs {
  readonly leaks: string[] = [];
  readonly texts = new Map<string, string>();

  add(name: string, text: string): void {
    this.texts.set(name, text);
    this.leaks.push(...findLeaks(text, SECRETS).map((leak) => `${name} shows ${leak}`));
    // Our own escapes are text: what is left could steer a terminal.
    // deno-lint-ignore no-control-regex
    const control = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.exec(text);
    if (control && !/^(?:raw|exec) |-o csv$/.test(name)) {
      this.leaks.push(`${name} has the control character ${JSON.stringify(control[0])}`);
    }
  }
}

async function viewAll(daemon: Daemon, outputs: Outputs, uuids: readonly string[]): Promise<void> {
  const [prints, , fails, , returns] = uuids as [string, string, string, string, string];
  const calls = [
    ["status", "-o", "table"],
    ["status", "-o", "json"],
    ["list", "jobs", "-o", "wide"],
    ["list", "jobs", "-o", "yaml"],
    ["list", "instances", "-o", "json"],
    ["list", "instances", "-o", "csv"],
    ["list", "schedules", "-o", "yaml"],
    ["list", "nodes", "-o", "wide"],
    ["get", "job", "prints", "-o", "json"],
    ["check", "--config", "config.toml", "-o", "json"],
    ["check", "--config", "config.toml", "-o", "table"],
    ["describe", "job", "prints"],
    ["describe", "job", "shell"],
    ["schedule", "broken_message"],
    ["export", "--to", "crontab"],
    ["next", "broken_name"],
    ["exec", "fails"],
    ["exec", "shell"],
    ["get", "instance", fails, "-o", "yaml"],
    ["get", "instance", returns, "-o", "json"],
    ["explain", fails],
    ["describe", "instance", fails],
    ["history", fails, "-o", "table"],
    ["logs", prints, "-o", "table"],
    ["logs", prints, "-o", "json"],
    ["logs", "-o", "yaml"],
  ];
  // As many at once as there are processors: each is a process of its own.
  const next = async (): Promise<void> => {
    for (let args = calls.pop(); args !== undefined; args = calls.pop()) {
      const { stdout, stderr } = await daemon.jobctl(args, { env: ENV });
      outputs.add(args.join(" "), stdout + stderr);
    }
  };
  await Promise.all([next(), next(), next()]);
}

/** The bytes that gRPC answers, without our client. */
async function readWire(daemon: Daemon, outputs: Outputs): Promise<void> {
  const session = connect(`http://127.0.0.1:${daemon.port}`);
  const headers = { authorization: `Bearer ${SECRETS.token}` };
  try {
    for (
      const method of [
        "ListRegisteredJobs",
        "LookupInstances",
        "ListSchedules",
        "ListNodes",
        "GetStatus",
        "GetWorkers",
        "GetVersion",
      ]
    ) {
      const answer = await rawCall(
        session,
        `/job.v1.JobService/${method}`,
        framed(Buffer.alloc(0)),
        headers,
      );
      assert.equal(answer.status, 0, `${method}: ${answer.message}`);
      outputs.add(`raw ${method}`, answer.body.toString());
    }
    const refused = await rawCall(
      session,
      "/job.v1.JobService/ResizeWorkers",
      framed(Buffer.alloc(0)),
      headers,
    );
    assert.notEqual(refused.status, 0);
    outputs.add("raw ResizeWorkers", refused.message);
  } finally {
    session.close();
  }
}

/** Command lines of all processes that are ours: children of the daemon. */
function commandLines(daemon: Daemon): string {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))!;
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      return Number(parent) === daemon.pid || Number(pid) === daemon.pid ? [line] : [];
    } catch {
      return [];
    }
  }).join("\n");
}

async function runAll(daemon: Daemon, outputs: Outputs): Promise<string[]> {
  const kinds = [...MODULE_KINDS, ...COMMAND_KINDS, "inline"];
  const client = daemon.client();
  const uuids: string[] = [];
  for (const kind of kinds) {
    const { instance } = await client.scheduleJob({ kind });
    uuids.push(instance!.uuid);
  }
  outputs.add("raw command lines", commandLines(daemon));
  for (const uuid of uuids) {
    await client.waitInstance({ uuid, waitMs: 30_000n }, { timeoutMs: 40_000 });
  }
  return uuids;
}

test("no output shows a secret, in whatever form, and none has control characters", async () => {
  const outputs = new Outputs();
  const daemon = await startDaemon({
    toml: TOML,
    modules: FILES,
    env: { ...ENV, JOBCTL_LOG_LEVEL: "debug" },
  });
  try {
    const uuids = await runAll(daemon, outputs);
    await until("an error comes after its attempt", async () => {
      if (daemon.log().includes("Uncaught after")) return true;
      // On a slow machine it may still come during the attempt.
      const { instance } = await daemon.client().scheduleJob({ kind: "late" });
      await daemon.client().waitInstance({ uuid: instance!.uuid, waitMs: 30_000n });
      return false;
    });
    await viewAll(daemon, outputs, uuids);
    await readWire(daemon, outputs);
    const metrics = await fetch(`http://127.0.0.1:${daemon.httpPort}/metrics`);
    outputs.add("metrics", await metrics.text());
    const backup = await daemon.jobctl(["store", "backup", "all.jsonl.gz"]);
    assert.equal(backup.code, 0, backup.stderr);
    outputs.add(
      "raw backup",
      gunzipSync(readFileSync(join(daemon.dir, "all.jsonl.gz"))).toString(),
    );
    daemon.signal("SIGHUP");
    await until("the reload is told", () => daemon.log().includes("was reloaded"));
    outputs.add("log", daemon.log());
    await daemon.terminate();
    const data = join(daemon.dir, "data");
    for (const entry of readdirSync(data, { recursive: true, withFileTypes: true })) {
      // There may be sockets, and pipes.
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      outputs.add(`raw ${relative(data, path)}`, readFileSync(path).toString("latin1"));
    }
    assert.deepEqual(outputs.leaks, []);
    assertEverythingHappened(outputs);
  } finally {
    await daemon.stop({ force: true });
  }
});

/** A search of outputs that do not have what was to be masked proves nothing. */
function assertEverythingHappened(outputs: Outputs): void {
  const has = (name: string, what: RegExp) => {
    assert.match(outputs.texts.get(name) ?? "", what, name);
  };
  has("log", /broken_message.*Loading it throws Error: \*\*\*/);
  has("log", /Uncaught after the attempt had ended: .*\*\*\*/);
  has("check --config config.toml -o json", /Loading it throws .*\*\*\*/);
  has("raw GetStatus", /\*\*\*/);
  has("raw backup", /\*\*\*/);
  has("describe job prints", /described by \*\*\*/);
  has("list instances -o json", /at exit|exited with code 3/);
}

test("a daemon that logs JSON, and one that does not start, show no secret", async () => {
  const outputs = new Outputs();
  const daemon = await startDaemon({
    toml: TOML,
    modules: FILES,
    env: { ...ENV, JOBCTL_LOG_FORMAT: "json", JOBCTL_SERVER_HTTP: "" },
  });
  try {
    outputs.add("log of JSON", daemon.log());
    await daemon.logged(/"message":"Job \\"broken_message\\" is disabled: .*\*\*\*/);
    const urls = [
      `valkey://app:${SECRETS.storePassword}@127.0.0.1:1/0`,
      `valkey://app:${SECRETS.storePassword}:127.0.0.1`,
      `valky:/app:${SECRETS.storePassword}@127.0.0.1:1/0`,
      `etcd://app:${SECRETS.storePassword}@127.0.0.1:1/path`,
      `postgres:app:${SECRETS.storePassword}@h`,
      `valkey://:${SECRETS.storePassword}@x@h/0`,
    ];
    for (const url of urls) {
      const { code, stdout, stderr } = await runJobctl([
        "serve",
        "--config",
        "config.toml",
        "--debug",
      ], {
        cwd: daemon.dir,
        env: { ...ENV, JOBCTL_STORE_URL: url, JOBCTL_SERVER_PORT: "0", JOBCTL_SERVER_HTTP: "" },
      });
      assert.notEqual(code, 0, url);
      outputs.add(`serve with ${url.length} characters of URL`, stdout + stderr);
    }
    for (const token of [`${SECRETS.token}\u0007`, `${SECRETS.token}é`, `${SECRETS.token}x`]) {
      const { code, stdout, stderr } = await daemon.jobctl(["status", "--debug"], {
        env: { JOBCTL_TOKEN: token, JOBCTL_SOCKET: "none" },
      });
      assert.notEqual(code, 0);
      outputs.add("status with a wrong token", stdout + stderr);
    }
    outputs.add("log at the end", daemon.log());
    assert.deepEqual(outputs.leaks, []);
  } finally {
    await daemon.stop({ force: true });
  }
});
