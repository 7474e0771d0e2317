import assert from "node:assert/strict";
import { test } from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { cli, interruptInCall, NOW } from "../../support/worlds/cli_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const at = (ms: number) => ({ seconds: BigInt(ms / 1_000), nanos: 0 });
const OLD = { node: "web-1", version: "1.0.0", startedAt: at(NOW - 3_600_000) };
const NEW = { node: "web-1", version: "1.1.0", startedAt: at(NOW) };

/** A daemon that returns or throws these for GetStatus, the last one again and again. */
function daemon(statuses: readonly unknown[], changes: Readonly<Record<string, unknown>> = {}) {
  let next = 0;
  return {
    getStatus: () => {
      const status = statuses[Math.min(next++, statuses.length - 1)];
      if (status instanceof Error) throw status;
      return status;
    },
    getVersion: { version: "1.0.0" },
    upgradeDaemon: { node: "web-1", version: "1.1.0", waiting: 0, drainMs: 0n },
    ...changes,
  };
}

/** Run a command, and let time pass until it ends. */
async function run(argv: readonly string[], options: Parameters<typeof cli>[1]) {
  const clock = new SimClock(NOW);
  const running = cli(argv, { ...options, clock });
  let isDone = false;
  void running.finally(() => isDone = true);
  while (!isDone) await clock.advance(250);
  return await running;
}

test("upgrade-daemon waits until another daemon responds, while nobody listens for a moment", async () => {
  const away = new JobError("unavailable", "nobody listens");
  const { code, stdout, stderr, calls } = await run(["upgrade-daemon"], {
    answers: daemon([OLD, OLD, away, away, NEW]),
  });
  assert.equal(code, 0);
  const record = { node: "web-1", from: "1.0.0", to: "1.1.0", is_upgraded: true };
  assert.deepEqual(JSON.parse(stdout), record);
  assert.equal(stderr, "");
  const request = calls.find(({ method }) => method === "upgradeDaemon")?.request;
  assert.deepEqual(request, { node: "web-1" });
});

test("upgrade-daemon takes a token that is no longer valid for that of the old daemon", async () => {
  const refused = new JobError("unauthenticated", "no such token");
  const { code } = await run(["upgrade-daemon"], { answers: daemon([OLD, refused]) });
  assert.equal(code, 0);
});

test("upgrade-daemon says if the daemon started again as it was, also with the same version", async () => {
  const AGAIN = "Node web-1 runs 1.0.0 again: the upgrade failed: ";
  const upgradeDaemon = { node: "web-1", version: "1.0.0", waiting: 0, drainMs: 0n };
  const older = daemon([OLD, { ...OLD, startedAt: at(NOW) }]);
  const same = daemon([OLD, { ...NEW, version: "1.0.0", upgradeProblem: "no such key" }], {
    upgradeDaemon,
  });
  for (const [answers, why] of [[older, "its log says why"], [same, "no such key"]] as const) {
    const { code, stdout } = await run(["upgrade-daemon", "-o", "table"], { answers });
    assert.equal(code, 1);
    assert.equal(stdout, `${AGAIN}${why}\n`);
  }
  const answers = daemon([OLD, { ...NEW, upgradeProblem: "no such key" }]);
  const { stdout } = await run(["upgrade-daemon"], { answers });
  const { is_upgraded, problem } = JSON.parse(stdout);
  assert.deepEqual({ is_upgraded, problem }, { is_upgraded: false, problem: "no such key" });
});

test("upgrade-daemon says what the daemon waits for, and how long it waits itself", async () => {
  const upgradeDaemon = { node: "web-1", version: "1.1.0", waiting: 2, drainMs: 30_000n };
  const { code, stdout, stderr } = await run(["upgrade-daemon", "--wait-timeout", "5s"], {
    answers: daemon([OLD], { upgradeDaemon }),
  });
  assert.equal(code, 124);
  assert.equal(JSON.parse(stdout).is_upgraded, false);
  assert.equal(stderr, "Waiting for 2 running instances of modules, for 30s at most\n");
});

test("upgrade-daemon says that the daemon continues only if it still responds", async () => {
  const lineAfter = async (statuses: readonly unknown[]) => {
    const argv = ["upgrade-daemon", "--wait-timeout", "5s", "-o", "table"];
    const { code, stdout } = await run(argv, { answers: daemon(statuses) });
    assert.equal(code, 124);
    return stdout;
  };
  const away = new JobError("unavailable", "nobody listens");
  assert.match(await lineAfter([OLD, away, OLD]), /^Node web-1 continues to hand over to 1\.1\.0/);
  const gone = await lineAfter([OLD, OLD, away]);
  assert.match(gone, /^Node web-1 does not respond since it began to hand over to 1\.1\.0: /);
  assert.doesNotMatch(gone, /continues/);
});

test("upgrade-daemon shows why the file of the daemon does not start", async () => {
  const message = 'Cannot upgrade the daemon: "/usr/bin/jobctl" does not start: no such key';
  const upgradeDaemon = () => {
    throw new JobError("conflict", message, { hint: "The daemon runs on as it was" });
  };
  const { code, stderr } = await run(["upgrade-daemon"], {
    answers: daemon([OLD], { upgradeDaemon }),
  });
  assert.equal(code, 6);
  assert.match(stderr, /does not start: no such key\nhint: The daemon runs on as it was/);
});

test("upgrade-daemon says that the daemon has the request when it is interrupted before the response", async () => {
  const run = await interruptInCall(["upgrade-daemon"], "upgradeDaemon", daemon([OLD]));
  assert.equal(run.code, 130);
  assert.match(
    run.stderr,
    /the daemon has the request, and may complete it\nhint: See jobctl status/,
  );
});
