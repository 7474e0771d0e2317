import assert from "node:assert/strict";
import test from "node:test";
import type { ErrorCode } from "../../src/core/errors.ts";
import { JobError } from "../../src/core/errors.ts";
import { cli } from "../support/worlds/cli_world.ts";

const EXPECTED: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: 2,
  invalid_config: 2,
  not_found: 4,
  unauthenticated: 5,
  permission_denied: 5,
  already_exists: 6,
  conflict: 6,
  stale_fence: 6,
  resource_exhausted: 6,
  unavailable: 7,
  timeout: 124,
  canceled: 130,
  unimplemented: 1,
  internal: 1,
};

for (const code of Object.keys(EXPECTED) as ErrorCode[]) {
  test(`runCli() exits ${EXPECTED[code]} when the daemon answers ${code}`, async () => {
    const getStatus = () => {
      throw new JobError(code, `Cannot x "v": no`, { hint: "Do y" });
    };
    const run = await cli(["status"], { answers: { getStatus } });
    assert.equal(run.code, EXPECTED[code]);
    assert.equal(run.stdout, "");
    assert.equal(run.stderr, 'jobctl: Cannot x "v": no\nhint: Do y\n');
  });
}

test("runCli() shows no stack of an unexpected error", async () => {
  const getStatus = () => {
    throw new TypeError("odd");
  };
  const run = await cli(["status"], { answers: { getStatus } });
  assert.equal(run.code, 1);
  assert.equal(run.stderr, "jobctl: Cannot run this command: odd\n");
});

test("runCli() shows the stacks with --debug", async () => {
  const getStatus = () => {
    throw new TypeError("odd");
  };
  const run = await cli(["status", "--debug"], { answers: { getStatus } });
  assert.match(run.stderr, /TypeError: odd\n\s+at /);
});

test("runCli() makes control characters of a daemon's error visible", async () => {
  const getStatus = () => {
    throw new JobError("internal", "a\x1b[31mb");
  };
  const run = await cli(["status"], { answers: { getStatus } });
  assert.equal(run.stderr, "jobctl: a\\x1b[31mb\n");
});

const ENDED = { uuid: "01938f2c-7d3e-7000-8000-000000000000", kind: "report", state: 64 };
const FAILED = {
  scheduleJob: { instance: ENDED },
  getInstance: { instance: ENDED },
  waitInstance: { instance: ENDED },
  follow: () => [{ cursor: "1", entries: [], instance: ENDED }],
};

for (
  const [argv, answers, code] of [
    [["run", "report"], FAILED, 3],
    [["schedule", "report", "--wait"], FAILED, 3],
    [["healthcheck", "--incidents-warn", "0"], { listIncidents: { incidents: [{}] } }, 1],
    [["healthcheck"], { getStatus: () => Promise.reject(new JobError("unavailable", "away")) }, 2],
    [["store", "verify"], { workOnStore: () => [{ step: reportOf({ is_whole: false }) }] }, 1],
  ] as const
) {
  test(`${argv.join(" ")} says by its exit code what went wrong when nobody reads it`, async () => {
    const run = await cli(argv, { answers, isUnread: true });
    assert.equal(run.code, code);
  });
}

test("a list is fetched no further when nobody reads it", async () => {
  const instances = Array.from({ length: 100 }, () => ({ ...ENDED, error: "x".repeat(2_000) }));
  const answers = { lookupInstances: { instances, nextPageToken: "more" } };
  const run = await cli(["list", "instances", "--all"], { answers, isUnread: true });
  assert.equal(run.code, 0);
  assert.ok(run.calls.filter(({ method }) => method === "lookupInstances").length <= 2);
});

function reportOf(report: object) {
  return { case: "reportJson", value: JSON.stringify(report) };
}

test("runCli() ends quietly when nobody reads its output any more", async () => {
  const { runCli } = await import("../../src/cli/cli.ts");
  const { processIo } = await import("../../src/cli/io/io.ts");
  let stderr = "";
  const broken = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
  const code = await runCli(["--version"], {
    ...processIo(),
    stdout: { write: () => Promise.reject(broken) },
    stderr: { write: (text) => Promise.resolve(void (stderr += text)) },
  });
  assert.equal(code, 0);
  assert.equal(stderr, "");
});
