import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { screenLines } from "../../../src/cli/watch/watch_verb.ts";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { ID, instance, waiting } from "../../support/worlds/cli_messages.ts";
import { type Answers, cli, type CliOptions, NOW } from "../../support/worlds/cli_world.ts";
import { FakeTerminal } from "../../support/worlds/fake_terminal.ts";
import { MessageStream } from "../../support/worlds/message_stream.ts";
import { promisesRan, SimClock } from "../../support/worlds/sim_clock.ts";

const OTHER = "01938f2c-7d3e-7000-8000-000000000002";
const CHANGED = { changed: [{ uuid: ID, kind: "sum" }] };

/** A watching verb, after its first look, that runs until it is interrupted or ends. */
async function watching(argv: readonly string[], answers: Answers, options: CliOptions = {}) {
  const clock = new SimClock(NOW);
  const stream = new MessageStream();
  let interrupt = () => {};
  const run = cli(argv, {
    ...options,
    answers: { watch: stream.answer, follow: stream.answer, ...answers },
    clock,
    interruptible: (given) => interrupt = given,
  });
  const settle = async (ms = 0) => {
    await promisesRan();
    await clock.advance(ms);
    await promisesRan();
  };
  await stream.begun;
  await settle();
  return { run, stream, clock, settle, interrupt: () => interrupt() };
}

test("list instances --watch appends what is new or has changed, off a terminal", async () => {
  let instances = [waiting()];
  const { run, stream, settle, interrupt } = await watching(
    ["list", "instances", "--watch"],
    { lookupInstances: () => ({ instances }) },
    { env: { JOBCTL_OUTPUT: undefined } },
  );
  await settle();
  instances = [waiting(OTHER), instance()];
  stream.send({ ...CHANGED });
  await settle(1_000);
  // Nothing has changed.
  stream.send({ ...CHANGED });
  await settle(1_000);
  interrupt();
  await settle();
  const { code, stdout, stderr } = await run;
  assert.equal(code, 130, stderr);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, 4, stdout);
  assert.match(lines[0]!, /^ID\tKIND\t/);
  assert.match(lines[1]!, /\twaiting\t/);
  // The oldest of the changes comes first, and the heading is not repeated.
  assert.match(lines[2]!, /\tdone\t/);
  assert.match(lines[3]!, /\twaiting\t/);
});

test("list instances --watch -o json writes a line of JSON for each change", async () => {
  let instances = [waiting()];
  const { run, stream, settle, interrupt } = await watching(
    ["list", "instances", "-w", "-o", "json"],
    { lookupInstances: () => ({ instances }) },
  );
  await settle();
  instances = [instance()];
  stream.send({ ...CHANGED });
  await settle(1_000);
  interrupt();
  await settle();
  const { stdout } = await run;
  const records = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(records.map(({ id, state }) => [id, state]), [
    [ID, "scheduled"],
    [ID, "completed"],
  ]);
});

test("--watch=DURATION looks again after that time, whatever changes", async () => {
  let looks = 0;
  const getStatus = () => {
    looks += 1;
    return { node: "n1" };
  };
  const { run, stream, settle, interrupt } = await watching(["status", "--watch=5s"], {
    getStatus,
  });
  await settle();
  stream.send({ ...CHANGED });
  await settle(4_999);
  assert.equal(looks, 1);
  await settle(1);
  assert.equal(looks, 2);
  interrupt();
  await settle();
  await run;
});

test("--watch looks again at a change within a second, and every 5 seconds", async () => {
  let looks = 0;
  const getStatus = () => {
    looks += 1;
    return { node: "n1" };
  };
  const { run, stream, settle, interrupt } = await watching(["status", "-w"], { getStatus });
  await settle();
  stream.send({ ...CHANGED });
  await settle();
  assert.equal(looks, 2);
  stream.send({ ...CHANGED });
  await settle(999);
  assert.equal(looks, 2);
  await settle(1);
  assert.equal(looks, 3);
  // Such a message only says that the daemon is there.
  stream.send({ cursor: "x" });
  await settle(4_999);
  assert.equal(looks, 3);
  await settle(1);
  assert.equal(looks, 4);
  interrupt();
  await settle();
  await run;
});

test("--watch refuses an interval below a second, and what is no duration", async () => {
  for (const value of ["999ms", "0", "often"]) {
    const { code, stderr } = await cli(["status", `--watch=${value}`]);
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`--watch "${value}"`));
    assert.match(stderr, /hint: /);
  }
  const { code, stderr } = await cli(["cancel", ID, "--watch"]);
  assert.equal(code, 2);
  assert.match(stderr, /no such option/);
});

test("describe instance --watch ends once the instance has ended", async () => {
  let state = JobState.PROCESSING;
  const { run, stream, settle } = await watching(["describe", "instance", ID, "-w"], {
    getInstance: () => ({ instance: instance({ state }) }),
  }, { env: { JOBCTL_OUTPUT: "json" } });
  await settle();
  state = JobState.COMPLETED;
  stream.send({ cursor: "1", instance: instance({ state }) });
  await settle(1_000);
  const { code, stdout, calls } = await run;
  assert.equal(code, 0);
  const states = stdout.trimEnd().split("\n").map((line) => JSON.parse(line).state);
  assert.deepEqual(states, ["processing", "completed"]);
  const { query, fromNow } = calls.find(({ method }) => method === "follow")!.request;
  assert.deepEqual([(query as { uuid: string }).uuid, fromNow], [ID, true]);
});

test("--watch waits for a daemon that goes away, and says so", async () => {
  let isThere = true;
  const getStatus = () => {
    if (isThere) return { node: "n1" };
    throw new JobError("unavailable", "Cannot reach the daemon: as asked");
  };
  const { run, stream, settle, interrupt } = await watching(["status", "-w"], { getStatus });
  await settle();
  isThere = false;
  stream.break();
  await settle(1_000);
  isThere = true;
  stream.send({ isWhole: true });
  await settle(1_000);
  await settle(1_000);
  interrupt();
  await settle();
  const { code, stderr } = await run;
  assert.equal(code, 130);
  assert.equal(stderr, "jobctl: disconnected, trying again\njobctl: connected again\n");
  assert.equal(stream.opened, 2);
});

test("--watch fails as the verb if the first look fails", async () => {
  const unavailable = () => {
    throw new JobError("unavailable", "Cannot reach the daemon: as asked");
  };
  const { code, stderr } = await cli(["status", "-w"], { answers: { getStatus: unavailable } });
  assert.equal(code, 7);
  assert.match(stderr, /Cannot reach the daemon/);
});

test("list instances --watch redraws in place on a terminal, and leaves the last view", async () => {
  let instances = [waiting()];
  const terminal = new FakeTerminal({ rows: 10, columns: 100 });
  const { run, stream, settle } = await watching(
    ["list", "instances", "--watch", "--no-color"],
    { lookupInstances: () => ({ instances }) },
    { isTerminal: true, input: "", terminal, env: { TERM: "xterm" } },
  );
  await settle();
  assert.equal(terminal.isTaken, true);
  assert.match(terminal.text, /^at each change · [\d:]{8} · q ends\nID .*\n.* waiting /);
  instances = [instance()];
  stream.send({ ...CHANGED });
  await settle(1_000);
  assert.match(terminal.text, / done /);
  assert.doesNotMatch(terminal.text, / waiting /);
  stream.break();
  await settle();
  await settle(1_000);
  assert.match(terminal.text, /^disconnected, trying again/);
  terminal.resize({ rows: 5, columns: 60 });
  await settle(1_000);
  assert.match(terminal.text, /\nID /);
  terminal.press("\u0003");
  await settle();
  const { code, stdout } = await run;
  assert.equal(code, 130);
  assert.deepEqual([terminal.isTaken, terminal.isRaw, terminal.listeners], [false, false, 0]);
  assert.match(stdout, /^ID .*\n.* done /);
});

test("--watch ends at q although the daemon does not respond", async () => {
  let looks = 0;
  const getStatus = () => {
    looks += 1;
    return looks === 1 ? { node: "n1" } : new Promise(() => {});
  };
  const terminal = new FakeTerminal({ rows: 10, columns: 100 });
  const options = { isTerminal: true, input: "", terminal, env: { TERM: "xterm" } };
  const { run, stream, settle } = await watching(["status", "-w"], { getStatus }, options);
  stream.send({ ...CHANGED });
  await settle(1_000);
  assert.equal(looks, 2);
  terminal.press("q");
  await settle();
  assert.equal((await run).code, 130);
  assert.equal(terminal.isTaken, false);
});

test("screenLines() wraps long lines, and counts what does not fit", () => {
  const head = () => "head";
  const size = { rows: 4, columns: 6 };
  assert.deepEqual(screenLines("a\nb\n", size, head), ["head", "a", "b"]);
  assert.deepEqual(screenLines("1\n2\n3\n", size, head), ["head", "1", "2", "3"]);
  assert.deepEqual(screenLines("1\n2\n3\n4\n", size, head), ["head", "1", "2", "… 2 more lines"]);
  const red = "\u001b[31m123456\u001b[0m";
  assert.deepEqual(screenLines(red, size, head), ["head", red]);
  assert.deepEqual(screenLines(`${red}7`, size, head), ["head", "123456", "7"]);
  assert.deepEqual(screenLines("a\tb", size, head), ["head", "a    b"]);
});

test("describe NAME --watch looks at the instance that the word names at the beginning", async () => {
  let shown = instance({ state: JobState.PROCESSING });
  let newest = shown;
  const { run, stream, settle } = await watching(["describe", "last", "--watch"], {
    lookupInstances: () => ({ instances: [newest] }),
    getInstance: ({ uuid }: { uuid: string }) => {
      assert.equal(uuid, ID);
      return { instance: shown };
    },
  });
  newest = waiting(OTHER);
  shown = instance();
  stream.send({ instance: shown });
  await settle(1_000);
  const { code, stdout, stderr } = await run;
  assert.equal(code, 0, stderr);
  const states = stdout.trimEnd().split("\n").map((line) => JSON.parse(line).state);
  assert.deepEqual(states, ["processing", "completed"]);
});

for (const where of ["off", "on"]) {
  test(`--watch ${where} a terminal ends its stream when a later look fails`, async () => {
    const terminal = new FakeTerminal({ rows: 10, columns: 100 });
    let isRefused = false;
    const lookupInstances = () => {
      if (isRefused) throw new JobError("permission_denied", "Cannot look up instances");
      return { instances: [waiting()] };
    };
    const { run, stream, settle } = await watching(
      ["list", "instances", "-w"],
      { lookupInstances },
      where === "on" ? { isTerminal: true, input: "", terminal, env: { TERM: "xterm" } } : {},
    );
    isRefused = true;
    stream.send({ ...CHANGED });
    await settle(1_000);
    assert.equal((await run).code, 5);
    assert.equal(stream.isAborted, true);
  });
}
