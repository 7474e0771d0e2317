import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { answerCompletion } from "../../../src/cli/completion/complete_main.ts";
import type { CliIo } from "../../../src/cli/io/io.ts";
import type { ConnectOptions, JobClient } from "../../../src/rpc/client/client.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const NOW = Date.UTC(2026, 10, 24, 12, 0, 0);

interface Asked {
  readonly answers?: Readonly<Record<string, (request: Record<string, unknown>) => unknown>>;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: SimClock;
}

/** What a shell gets, and how the daemon was asked. */
async function ask(
  argv: readonly string[],
  { answers = {}, input = "", env = {}, clock = new SimClock(NOW) }: Asked = {},
) {
  const settings: ConnectOptions[] = [];
  const requests: Record<string, unknown>[] = [];
  const client = new Proxy({}, {
    get: (_target, method) => {
      if (method === "then") return undefined;
      if (method === "close") return () => {};
      return async (request: Record<string, unknown>) => {
        requests.push(request);
        const answer = answers[String(method)];
        if (answer === undefined) throw new Error(`unexpected ${String(method)}`);
        return await answer(request);
      };
    },
  }) as JobClient;
  const io = {
    ...{ env, clock, cwd: "/nowhere" },
    connect(given: ConnectOptions) {
      settings.push(given);
      return client;
    },
  } as unknown as CliIo;
  const text = await answerCompletion(argv, input, io);
  return { lines: text.split("\n").slice(0, -1), settings: settings[0], requests };
}

const jobs = (...kinds: string[]) => ({
  listRegisteredJobs: () => ({ jobs: kinds.map((kind) => ({ kind, cronSpecs: ["@daily"] })) }),
});

test("answerCompletion() prints kinds with what they are", async () => {
  const { lines, requests } = await ask(["kind", "ma"], { answers: jobs("mail", "main", "other") });
  assert.deepEqual(lines, ["mail\t@daily", "main\t@daily"]);
  assert.deepEqual(requests, [{ kindPrefix: "ma", limit: 200 }]);
});

test("answerCompletion() leaves out names that could control a terminal or pass for an option", async () => {
  const bad = [
    "-rf",
    "--yes",
    "a\nb",
    "a\tb",
    "a\x1b[31m",
    "a\u202eb",
    "a\rb",
    "",
    "x".repeat(201),
  ];
  const { lines } = await ask(["kind", ""], { answers: jobs(...bad, "good") });
  assert.deepEqual(lines, ["good\t@daily"]);
});

test("answerCompletion() shows a description as one line without control characters", async () => {
  const description = `a\tb\n\x1b[2J${"😀".repeat(100)}`;
  const { lines } = await ask(["kind", ""], {
    answers: { listRegisteredJobs: () => ({ jobs: [{ kind: "mail", description }] }) },
  });
  assert.deepEqual(lines, [`mail\ta\\tb\\n\\x1b[2J${"😀".repeat(47)}`]);
});

test("answerCompletion() prints at most 200 names", async () => {
  const kinds = Array.from({ length: 5_000 }, (_, index) => `k${index}`);
  assert.equal((await ask(["kind", "k"], { answers: jobs(...kinds) })).lines.length, 200);
});

test("answerCompletion() escapes the comma of a kind where a list is wanted", async () => {
  const { lines, requests } = await ask(["kinds", "a\\,"], { answers: jobs("a,b", "ab") });
  assert.deepEqual(lines, ["a\\,b\t@daily"]);
  assert.equal(requests[0]!.kindPrefix, "a,");
});

test("answerCompletion() asks for instances of the time in the beginning of an id", async () => {
  const uuid = "019ab5c1-e000-7000-8000-000000000000";
  const { lines, requests } = await ask(["dead", "019ab5c1-e"], {
    answers: {
      lookupInstances: () => ({ instances: [{ uuid, kind: "mail", state: 64 }] }),
    },
  });
  assert.deepEqual(lines, [`${uuid}\tmail, failed`]);
  const { after, before, dead } = requests[0]!.query as Record<string, { seconds: bigint }>;
  const atMs = parseInt("019ab5c1e000", 16);
  assert.equal(dead, true);
  assert.ok(Number(after!.seconds) * 1_000 <= atMs && Number(before!.seconds) * 1_000 >= atMs);
  assert.ok(Number(before!.seconds - after!.seconds) < 60);
});

test("answerCompletion() finds an instance whose id has no time by its beginning", async () => {
  const uuid = "ffffffff-0000-4000-8000-000000000000";
  const { lines } = await ask(["instance", "ffff"], {
    answers: {
      lookupInstances: () => ({ instances: [] }),
      getInstance: () => ({ instance: { uuid, kind: "mail", state: 32 } }),
    },
  });
  assert.deepEqual(lines, [`${uuid}\tmail, done`]);
});

test("answerCompletion() names incidents as ack finds them", async () => {
  const incident = (type: string, name: string) => ({ type, name, events: ["failed"] });
  const { lines } = await ask(["incident", ""], {
    answers: {
      listIncidents: () => ({
        incidents: [incident("job", "mail"), incident("node", "web1"), incident("job", "node:x")],
      }),
    },
  });
  assert.deepEqual(lines, ["mail\tfailed", "node:web1\tfailed", "job:node:x\tfailed"]);
});

const SIGNATURE = {
  ...{ result_count: 0, is_typed: true, warnings: [] },
  definitions: {
    Region: {
      type: "union",
      members: [
        { type: "literal", value: "eu" },
        { type: "literal", value: "us east" },
      ],
    },
  },
  parameters: [
    { role: "injected", name: "context", inject: "Context" },
    {
      role: "argument",
      name: "region",
      is_optional: false,
      is_rest: false,
      shape: { type: "ref", name: "Region" },
    },
    {
      role: "argument",
      name: "dryRun",
      is_optional: true,
      is_rest: false,
      shape: { type: "boolean" },
    },
    {
      role: "argument",
      name: "levels",
      is_optional: true,
      is_rest: true,
      shape: {
        type: "array",
        element: {
          type: "enum",
          name: "Level",
          members: [{ name: "Low", value: 1 }, { name: "High", value: "high" }],
        },
      },
    },
  ],
};
const typed = {
  getJob: ({ kind }: Record<string, unknown>) => ({
    job: { kind, signatureJson: kind === "report" ? JSON.stringify(SIGNATURE) : "" },
  }),
};

test("answerCompletion() offers the parameters of a job as options with their types", async () => {
  const all = await ask(["parameter", "--", "report"], { answers: typed });
  // The verb has an option --dry-run of its own.
  assert.deepEqual(all.lines, ["--region\tRegion", "--dryRun\tboolean", "--levels\tLevel[]"]);
  assert.deepEqual(all.requests, [{ kind: "report" }]);
  const some = await ask(["parameter", "--d", "report"], { answers: typed });
  assert.deepEqual(some.lines, ["--dryRun\tboolean"]);
  assert.deepEqual((await ask(["parameter", "--", "other"], { answers: typed })).lines, []);
});

test("answerCompletion() offers the parameters of the job of a run, as for retry", async () => {
  const answers = {
    ...typed,
    getJob: ({ kind }: Record<string, unknown>) => {
      if (kind !== "report") throw new JobError("not_found", "no such kind");
      return typed.getJob({ kind });
    },
    getInstance: () => ({ instance: { kind: "report" } }),
    lookupInstances: () => ({ instances: [{ kind: "report" }] }),
  };
  for (const run of ["01938f2c", "last"]) {
    const { lines } = await ask(["parameter", "--r", run], { answers });
    assert.deepEqual(lines, ["--region\tRegion"]);
  }
});

test("answerCompletion() offers the values of a parameter by its name", async () => {
  const of = async (which: string, prefix = "") =>
    (await ask(["value", prefix, "report", which], { answers: typed })).lines;
  assert.deepEqual(await of("region"), ["eu\t", "us east\t"]);
  assert.deepEqual(await of("region", "us"), ["us east\t"]);
  assert.deepEqual(await of("dry-run"), ["true\t", "false\t"]);
  assert.deepEqual(await of("dryRun", "t"), ["true\t"]);
  assert.deepEqual(await of("levels"), ["Low\t", "high\tHigh"]);
  assert.deepEqual(await of("nothing"), []);
});

test("answerCompletion() offers the values of an argument by its position", async () => {
  const at = async (which: string) =>
    (await ask(["argument", "", "report", which], { answers: typed })).lines;
  assert.deepEqual(await at("0"), ["eu\t", "us east\t"]);
  assert.deepEqual(await at("1"), ["true\t", "false\t"]);
  assert.deepEqual(await at("5"), ["Low\t", "high\tHigh"]);
  for (const which of ["", "-1", "x"]) assert.ok((await at(which)).length <= 3, which);
});

test("answerCompletion() offers contexts without a daemon, and asks that of the line", async () => {
  await withTempDir({}, async ({ path: folder }) => {
    mkdirSync(join(folder, "jobctl"));
    const file = join(folder, "jobctl", "contexts.toml");
    writeFileSync(file, '[contexts.prod]\nhost = "web1"\ntls = true\n', { mode: 0o600 });
    const env = { XDG_CONFIG_HOME: folder };
    const { lines, settings } = await ask(["context", "p"], { env });
    assert.deepEqual([lines, settings], [["prod\tweb1"], undefined]);
    for (const input of ["--context=prod\n", "-x=prod\n"]) {
      const asked = await ask(["kind", ""], { env, input, answers: jobs("mail") });
      assert.deepEqual([asked.lines, asked.settings!.host], [["mail\t@daily"], "web1"]);
    }
  });
});

test("answerCompletion() offers pages of the documentation without a daemon", async () => {
  const { lines, settings } = await ask(["page", "tut"]);
  assert.deepEqual([lines, settings], [["tutorial\tTutorial"], undefined]);
});

test("answerCompletion() uses the connection of the line and of the environment", async () => {
  const input = "--port=1234\n--tls\n--token=a=b\n--reason=x\n";
  const { settings } = await ask(["kind"], { input, env: { JOBCTL_HOST: "web1" } });
  assert.deepEqual([settings!.host, settings!.port, settings!.token], ["web1", 1234, "a=b"]);
  assert.notEqual(settings!.tls, null);
  assert.equal(settings!.timeoutMs, 1_000);
});

test("answerCompletion() prints what it has when a call fails", async () => {
  let page = 0;
  const { lines } = await ask(["schedule", "", "mail"], {
    answers: {
      listSchedules: () => {
        if (page++ > 0) throw new Error("gone");
        return {
          schedules: [{ id: "config:mail:0", kind: "mail", cron: "@daily", status: "paused" }],
          nextPageToken: "2",
        };
      },
    },
  });
  assert.deepEqual(lines, ["config:mail:0\tmail, @daily, paused"]);
});

test("answerCompletion() offers the ids of sessions as jobctl sessions shows them", async () => {
  const session = { id: "3f9a01c2".repeat(8), name: "eva", role: "viewer", address: "10.0.0.1" };
  const answers = { listSessions: () => ({ sessions: [session] }) };
  const { lines } = await ask(["session"], { answers });
  assert.deepEqual(lines, ["3f9a01c23f9a\teva, viewer, from 10.0.0.1"]);
});

test("answerCompletion() stops waiting after a second", async () => {
  const clock = new SimClock(NOW);
  const asked = Promise.withResolvers<void>();
  const answer = ask(["channel"], {
    clock,
    answers: {
      listChannels: () => {
        asked.resolve();
        return new Promise(() => {});
      },
    },
  });
  await asked.promise;
  await clock.advance(1_000);
  assert.deepEqual((await answer).lines, []);
});

test("answerCompletion() asks nothing that it does not know", async () => {
  for (const offer of ["", "file", "constructor", "kind "]) {
    const { lines, settings } = await ask([offer, ""]);
    assert.deepEqual([lines, settings], [[], undefined]);
  }
});
