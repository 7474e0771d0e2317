import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { instance, logEntry } from "../../support/worlds/cli_messages.ts";
import { type Answers, cli, NOW } from "../../support/worlds/cli_world.ts";
import { FakeTerminal } from "../../support/worlds/fake_terminal.ts";
import { MessageStream } from "../../support/worlds/message_stream.ts";
import { promisesRan, SimClock } from "../../support/worlds/sim_clock.ts";
import { idOf, wholeMessage } from "../../support/worlds/top_messages.ts";

const ON_TERMINAL = { isTerminal: true, input: "", env: { TERM: "xterm", NO_COLOR: "1" } };

/** `jobctl top` on a terminal, after its first message. */
async function openTop(answers: Answers = {}, argv: readonly string[] = []) {
  const terminal = new FakeTerminal({ rows: 24, columns: 80 });
  const clock = new SimClock(NOW);
  const watch = new MessageStream();
  const follow = new MessageStream();
  const run = cli(["top", ...argv], {
    ...ON_TERMINAL,
    ...{ clock, terminal },
    answers: {
      watch: watch.answer,
      follow: follow.answer,
      getCaller: { name: "me", role: "operator" },
      getInstance: { instance: instance() },
      ...answers,
    },
  });
  const settle = async (ms = 0) => {
    for (let turn = 0; turn < 5; turn++) await promisesRan();
    await clock.advance(ms);
    await promisesRan();
  };
  const press = async (...keys: readonly string[]) => {
    terminal.press(...keys);
    await settle();
  };
  watch.send(wholeMessage());
  await watch.begun;
  await settle();
  const footer = () => terminal.text.split("\n").slice(20).join("\n");
  const quit = async () => {
    await press("\u0003");
    await settle(1_000);
    return await run;
  };
  return { terminal, watch, follow, settle, press, footer, quit, run };
}

test("top shows what the daemon reports, and gives the terminal back at q", async () => {
  const top = await openTop();
  assert.match(top.terminal.text, /^web1 {2}0\.1\.0 .*\n3 running {2}12 waiting/);
  assert.match(top.terminal.text, /> 00a1b2c3 {2}report/);
  top.watch.send({ cursor: "2", running: { instances: [] } });
  await top.settle();
  assert.match(top.terminal.text, /Running: nothing/);
  await top.press("q");
  await top.settle(1_000);
  const { code, stdout, stderr } = await top.run;
  assert.deepEqual([code, stdout, stderr], [0, "", ""]);
  const { isTaken, isRaw, listeners } = top.terminal;
  assert.deepEqual([isTaken, isRaw, listeners], [false, false, 0]);
});

test("top keeps ages up to date without asking the daemon", async () => {
  const top = await openTop();
  assert.match(top.terminal.text, /report .* 2m5s/);
  await top.settle(1_000);
  assert.match(top.terminal.text, /report .* 2m6s/);
  const { calls } = await top.quit();
  assert.deepEqual(calls.map(({ method }) => method), ["getCaller", "watch"]);
});

test("top cancels only after y, and says what it does", async () => {
  const cancelInstances = { instances: [instance()] };
  const top = await openTop({ cancelInstances });
  await top.press("c");
  assert.match(top.footer(), /Cancel report 00a1b2c3, which is running\?[^]*\[y\/N\]/);
  await top.press("n");
  assert.match(top.footer(), /Nothing was changed/);
  await top.press("c", "y");
  assert.match(top.footer(), /Canceled report 00a1b2c3/);
  const { calls, code } = await top.quit();
  assert.equal(code, 130);
  const cancels = calls.filter(({ method }) => method === "cancelInstances");
  assert.deepEqual(cancels.map(({ request }) => request), [{ query: { uuid: idOf("a1b2c3") } }]);
});

test("top runs a failed instance again, and pauses and resumes jobs", async () => {
  const top = await openTop({
    retryInstance: { instance: instance({ uuid: idOf("999999") }) },
    resume: { wasPaused: true },
  });
  await top.press("\t", "\t", "r", "y");
  assert.match(top.footer(), /Runs again as 00999999/);
  await top.press("p");
  assert.match(top.footer(), /Pause job sync-orders until resumed\?/);
  await top.press("y");
  assert.match(top.footer(), /Paused job sync-orders/);
  await top.press("\u001b[Z", "j", "p");
  assert.match(top.footer(), /Resume job mail\?/);
  await top.press("y", "P", "y");
  assert.match(top.footer(), /Paused all jobs/);
  const { calls } = await top.quit();
  const changes = calls.filter(({ method }) => ["pause", "resume"].includes(method));
  assert.deepEqual(changes.map(({ method, request }) => [method, request.kind]), [
    ["pause", "sync-orders"],
    ["resume", "mail"],
    ["pause", undefined],
  ]);
});

test("top refuses a viewer what it may not do, without asking the daemon", async () => {
  const top = await openTop({ getCaller: { name: "ci", role: "viewer" } });
  for (const key of ["c", "p", "P"]) {
    await top.press(key);
    assert.match(top.footer(), /"ci" may only look: its role is viewer, operator is needed/);
  }
  await top.press("y");
  const { calls } = await top.quit();
  assert.deepEqual(calls.map(({ method }) => method), ["getCaller", "watch"]);
});

test("top shows what the daemon refuses, and what does not reach it", async () => {
  let error = new JobError("permission_denied", 'Cannot call pause as "ci": not its job');
  const pause = () => {
    throw error;
  };
  const top = await openTop({ pause });
  await top.press("p", "y");
  assert.match(top.footer(), /Cannot call pause as "ci": not its job/);
  error = new JobError("unavailable", "Cannot reach the daemon at x");
  await top.press("p", "y");
  assert.match(top.footer(), /Not done: the daemon cannot be reached/);
  await top.quit();
});

test("top describes a row, scrolls and goes back", async () => {
  const top = await openTop();
  top.terminal.resize({ rows: 10, columns: 80 });
  await top.press("\r");
  assert.match(top.terminal.text, /^Instance report 00a1b2c3\nInstance: /);
  await top.press("G");
  assert.doesNotMatch(top.terminal.text, /^Instance: /m);
  await top.press("q");
  assert.match(top.terminal.text, /^web1/);
  await top.press("?");
  assert.match(top.terminal.text, /^Help\nKeys/);
  await top.press("\u001b");
  await top.settle(50);
  assert.match(top.terminal.text, /^web1/);
  await top.quit();
});

test("top follows a log, reads what is before it, and searches", async () => {
  const pages: Record<string, object> = {
    "": {
      entries: [logEntry(4, "four"), logEntry(3, "three\u001b[31m red\u001b[0m\u001b[2J")],
      nextPageToken: "older",
    },
    "older": { entries: [logEntry(2, "two"), logEntry(1, "one")] },
  };
  const lookupInstanceLogs = ({ query }: { query: { pageToken?: string } }) =>
    pages[query.pageToken ?? ""];
  const top = await openTop({ lookupInstanceLogs });
  await top.press("l");
  top.follow.send({ cursor: "1", instance: instance({ state: JobState.PROCESSING }) });
  await top.settle();
  assert.match(top.terminal.text, /^Log of report 00a1b2c3 · running · last 2 lines\n/);
  assert.match(top.terminal.text, / three red\\x1b\[2J\n.* four\n/);
  top.follow.send({ cursor: "2", entries: [logEntry(4, "four"), logEntry(5, "five")] });
  await top.settle();
  assert.match(top.terminal.text, / four\n.* five\n/);
  await top.press("k");
  assert.match(top.terminal.text, / one\n.* two\n.* three/);
  await top.press("/", "F", "o", "u", "r", "\r");
  assert.match(top.terminal.text, /"four": 1 of 1/);
  top.follow.send({ cursor: "3", instance: instance({ state: JobState.COMPLETED }) });
  await top.settle();
  assert.match(top.terminal.text, /· done ·/);
  await top.quit();
});

test("top searches lines that were not read yet", async () => {
  const lookupInstanceLogs = ({ query }: { query: { pageToken?: string } }) => {
    const page = Number(query.pageToken ?? 0);
    const seq = 100 - page * 2;
    return {
      entries: [logEntry(seq, `line ${seq}`), logEntry(seq - 1, `line ${seq - 1}`)],
      nextPageToken: page < 49 ? String(page + 1) : undefined,
    };
  };
  const top = await openTop({ lookupInstanceLogs });
  await top.press("l");
  top.follow.send({ cursor: "1" });
  await top.settle();
  await top.press("/", ..."line 7\r");
  await top.settle();
  assert.match(top.terminal.text, /"line 7": 1 of/);
  assert.match(top.terminal.text, / line 7\d?$/m);
  await top.quit();
});

test("top opens the log of the last run of a schedule's job", async () => {
  const top = await openTop({ lookupInstances: { instances: [] } });
  await top.press("\t", "l");
  assert.match(top.footer(), /No run of sync-orders yet/);
  const { calls } = await top.quit();
  const { query } = calls.find(({ method }) => method === "lookupInstances")!.request;
  assert.deepEqual(query, { kind: "sync-orders", pageSize: 1 });
});

test("top filters by a text as it is typed, and Esc shows all", async () => {
  const top = await openTop();
  await top.press("/", "i", "m");
  assert.equal(top.terminal.hasCursor, true);
  assert.match(top.terminal.text, /Only kinds with: im$/);
  assert.match(top.terminal.text, /Failed \(1\)/);
  await top.press("\u007f", "\r");
  assert.match(top.terminal.text, /Only kinds with "i": Esc shows all/);
  await top.press("\u001b");
  await top.settle(50);
  assert.doesNotMatch(top.terminal.text, /Only kinds/);
  assert.equal(top.terminal.hasCursor, false);
  await top.quit();
});

test("top waits for a daemon that goes away, and continues", async () => {
  const top = await openTop();
  top.watch.break();
  await top.settle();
  assert.match(top.terminal.text, /\ndisconnected, trying again\n/);
  top.watch.send(wholeMessage({ status: { node: "web1", version: "0.2.0" } }));
  await top.settle(1_000);
  assert.match(top.terminal.text, /^web1 {2}0\.2\.0/);
  assert.doesNotMatch(top.terminal.text, /disconnected/);
  const { calls } = await top.quit();
  const cursors = calls.filter(({ method }) => method === "watch")
    .map(({ request }) => request.cursor);
  assert.deepEqual(cursors, [undefined, "1"]);
});

test("top gives the terminal back if the daemon refuses it later", async () => {
  const top = await openTop();
  top.watch.fail(new JobError("unauthenticated", "Cannot call watch: the token has expired"));
  await top.settle();
  const { code, stderr } = await top.run;
  assert.equal(code, 5);
  assert.match(stderr, /the token has expired/);
  assert.deepEqual([top.terminal.isTaken, top.terminal.isRaw], [false, false]);
});

test("top fits a terminal of any size, and says if it is too small", async () => {
  const top = await openTop();
  for (const [rows, columns] of [[20, 60], [40, 120], [8, 40]] as const) {
    top.terminal.resize({ rows, columns });
    await top.settle();
    assert.match(top.terminal.text, /^web1/);
  }
  top.terminal.resize({ rows: 7, columns: 39 });
  await top.settle();
  assert.match(top.terminal.text, /^Too small: 40x8 are needed/);
  await top.quit();
});

test("top refuses what is no terminal, and names what works there", async () => {
  const refused: readonly (readonly [Parameters<typeof cli>[1], RegExp])[] = [
    [{}, /this is not a terminal/],
    [{ ...ON_TERMINAL, env: { TERM: "dumb" } }, /TERM is "dumb"/],
    [{ ...ON_TERMINAL, env: {} }, /TERM is ""/],
  ];
  for (const [options, problem] of refused) {
    const { code, stderr, stdout, calls } = await cli(["top"], options);
    assert.deepEqual([code, stdout, calls], [2, "", []]);
    assert.match(stderr, problem);
    assert.match(stderr, /jobctl status --watch/);
  }
});

test("top --kind asks the daemon for one job only, and refuses an unknown one", async () => {
  const top = await openTop({}, ["--kind", "report"]);
  const { calls } = await top.quit();
  assert.equal(calls.find(({ method }) => method === "watch")!.request.kind, "report");
  const getJob = () => {
    throw new JobError("not_found", 'Cannot find job "repotr": no such kind');
  };
  const { code, stderr } = await cli(["top", "-k", "repotr"], {
    ...ON_TERMINAL,
    answers: { getJob },
    terminal: new FakeTerminal({ rows: 24, columns: 80 }),
  });
  assert.equal(code, 4);
  assert.match(stderr, /no such kind/);
});
