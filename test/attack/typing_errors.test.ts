import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { withTempDir } from "../support/temp_dir.ts";

const NOBODY = "01938f2c-7d3e-7000-8000-00000000dead";

/** A job that makes the mistakes of a hurried programmer, and returns what each led to. */
const CARELESS = `
import type { Context } from "ts-job";
export default async function careless(ctx: Context): Promise<string[]> {
  const { manager } = ctx as any;
  const mistakes = [
    () => manager.cancelInstances({ knid: "slow" }),
    () => manager.cancelInstances({ kinds: "slow" }),
    () => manager.cancelInstances({ kind: undefined, state: "Scheduled" }),
    () => manager.cancelInstances({ state: "schedulled" }),
    () => manager.cancelInstances({}),
    () => manager.lookupInstances({ instnce: ctx.instance }),
    () => manager.lookupInstances({}, { limits: 5 }),
    () => manager.scheduleJob("slow", { prioritty: 1 }),
    () => manager.scheduleJob(undefined),
    async () => (await manager.lookupInstances({ instance: ctx.instance })).items.length,
  ];
  const found: string[] = [];
  for (const mistake of mistakes) {
    found.push(await mistake().then(String, (error: any) => error.code + " " + (error.path ?? "")));
  }
  return found;
}
`;

test("a typing error in a job or on the command line cancels nothing, and is told", async () => {
  const daemon = await startDaemon({
    toml: '[jobs.slow]\nrun = "true"\n[jobs.s]\nrun = "true"',
    modules: { "careless.ts": CARELESS },
  });
  try {
    for (const kind of ["s", "slow"]) {
      assert.equal((await daemon.jobctl(["schedule", kind, "--in", "1h"])).code, 0);
    }
    const run = await daemon.jobctl(["schedule", "careless", "--wait"]);
    assert.equal(run.code, 0, run.stderr);
    const [found] = JSON.parse(run.stdout).results;
    assert.deepEqual(found, [
      "invalid_argument knid",
      "invalid_argument kinds",
      "invalid_argument kind",
      "invalid_argument state",
      "invalid_argument query",
      "invalid_argument instnce",
      "invalid_argument limits",
      "invalid_argument prioritty",
      "invalid_argument job",
      "1",
    ]);
    for (
      const argv of [
        ["cancel", "instances"],
        ["cancel", "instances", "--kind", ",", "--state", "scheduled", "--yes"],
        ["cancel", "instances", "--state", "schedulled", "--yes"],
        ["redrive"],
      ]
    ) assert.equal((await daemon.jobctl(argv)).code, 2, argv.join(" "));
    for (
      const argv of [
        ["logs", NOBODY],
        ["logs", NOBODY, "-f"],
        ["history", NOBODY],
        ["logs", "--kind", "slwo"],
        ["list", "instances", "--kind", "slow,slwo"],
        ["list", "dead", "--kind", "slwo"],
        ["list", "schedules", "--kind", "slwo"],
        ["list", "timers", "--kind", "slwo"],
        ["cancel", "instances", "--kind", "slwo"],
        ["cancel", "instances", "--kind", "slow,slwo"],
        [
          "cancel",
          "instances",
          "--kind",
          "slow",
          "--kind",
          "slwo",
          "--state",
          "scheduled",
          "--yes",
        ],
        ["redrive", "--kind", "slow,slwo", "--yes"],
      ]
    ) {
      const refused = await daemon.jobctl([...argv, "-o", "json"]);
      assert.deepEqual([refused.code, refused.stdout], [4, ""], argv.join(" "));
      const wanted = argv.includes(NOBODY) ? /no such instance/ : /Did you mean "slow"\?/;
      assert.match(refused.stderr, wanted, argv.join(" "));
    }
    const kind = await daemon.jobctl(["cancel", "slow"]);
    assert.equal(kind.code, 4);
    assert.match(kind.stderr, /hint: Did you mean: jobctl cancel instances --kind slow\n/);
    const list = await daemon.jobctl(["list", "instances", "--state", "SCHEDULED", "-o", "json"]);
    const kinds = (JSON.parse(list.stdout) as { kind: string }[]).map(({ kind }) => kind);
    assert.deepEqual(kinds.sort(), ["s", "slow"]);
    assert.equal((await daemon.jobctl(["list", "dead", "--kind", "slow", "-o", "json"])).code, 0);
  } finally {
    await daemon.stop();
  }
});

test("a path with a typing error is named, and is not taken for an absent daemon", () =>
  withTempDir({ "config.toml": "", "half.jsonl": "" }, async ({ path }) => {
    const typed = join(path, "nodir", "x.gz");
    const offline = ["--store", `sqlite:${join(path, "new.db")}`];
    for (
      const [code, argv, file] of [
        [2, ["store", "backup", typed, ...offline], typed],
        [2, ["export", "crontab", "-c", join(path, "config.toml"), "--out", typed], typed],
        [4, ["store", "restore", typed, ...offline], typed],
        [2, ["store", "restore", path, ...offline], path],
        [2, ["store", "restore", join(path, "half.jsonl"), ...offline], join(path, "half.jsonl")],
        [4, ["import", "crontab", typed], typed],
      ] as const
    ) {
      const run = await runJobctl(argv, { cwd: path });
      assert.equal(run.code, code, `${argv.join(" ")}: ${run.stderr}`);
      assert.ok(run.stderr.includes(`"${file}"`) && run.stderr.includes("hint: "), run.stderr);
    }
  }));
