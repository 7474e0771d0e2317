import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { sleep, until } from "../support/wait.ts";

/**
 * Configurations that are empty, cut off or gone while the daemon reads them: no schedule is lost.
 */

const TOML = `
include = ["conf.d/*.toml"]
[jobs.a]
run = "true"
schedule = "0 3 * * *"
[jobs.b]
run = "true"
schedule = "@every 1s"
`;
const INCLUDED = `
[jobs.c]
run = "true"
schedule = "0 5 * * *"
[jobs.d]
run = "true"
schedule = "0 6 * * *"
[jobs.e]
run = "true"
schedule = "0 7 * * *"
`;

interface ListedSchedule {
  readonly id: string;
  readonly created_at: string;
}

async function schedulesOf(daemon: Daemon): Promise<readonly ListedSchedule[]> {
  const { stdout, code, stderr } = await daemon.ask(["list", "schedules", "-o", "json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function idsOf(daemon: Daemon): Promise<string> {
  return (await schedulesOf(daemon)).map(({ id }) => id.split(":")[1]).sort().join("");
}

/** @param work answers the daemon that it started again, if it did */
async function run(
  work: (daemon: Daemon, config: string) => Promise<Daemon | void>,
): Promise<void> {
  let daemon = await startDaemon({ toml: TOML });
  try {
    const config = join(daemon.dir, "config.toml");
    mkdirSync(join(daemon.dir, "conf.d"));
    writeFileSync(join(daemon.dir, "conf.d", "more.toml"), INCLUDED);
    const { code, stderr } = await daemon.ask(["reload"]);
    assert.equal(code, 0, stderr);
    assert.equal(await idsOf(daemon), "abcde");
    daemon = await work(daemon, config) ?? daemon;
  } finally {
    await daemon.stop({ force: true });
  }
}

test("a reload of an emptied, cut off or missing file keeps the schedules, and says how to force it", async () => {
  await run(async (daemon, config) => {
    const text = readFileSync(config, "utf8");
    truncateSync(config);
    daemon.signal("SIGHUP");
    await until("it is refused", () => daemon.log().includes("would remove 5 of 5 jobs: a, b, c"));
    await daemon.logged(/jobctl reload --force/);
    assert.equal(await idsOf(daemon), "abcde");

    const refused = await daemon.ask(["reload"]);
    assert.equal(refused.code, 6, refused.stderr);
    assert.match(refused.stderr, /old one stays: it would remove 5 of 5 jobs: a, b, c/);
    assert.match(refused.stderr, /--force/);
    assert.match(
      (await daemon.ask(["status"])).stdout,
      /"reload_problem": "it was refused: it would/,
    );

    // What is left of the file is a whole configuration of one job.
    writeFileSync(config, text.slice(0, text.indexOf("[jobs.b]")).replace(/^include.*$/m, ""));
    assert.equal((await daemon.ask(["reload"])).code, 6);
    rmSync(config);
    assert.equal((await daemon.ask(["reload"])).code, 2);
    writeFileSync(config, text);

    // A disk of includes that is not there.
    rmSync(join(daemon.dir, "conf.d"), { recursive: true });
    const gone = await daemon.ask(["reload"]);
    assert.match(gone.stderr, /would remove 3 of 5 jobs: c, d, e/);
    assert.equal(await idsOf(daemon), "abcde");

    mkdirSync(join(daemon.dir, "conf.d"));
    writeFileSync(join(daemon.dir, "conf.d", "more.toml"), INCLUDED);
    assert.equal((await daemon.ask(["reload"])).code, 0);
    assert.doesNotMatch((await daemon.ask(["status"])).stdout, /reload_problem/);
  });
});

test("a reload disables a broken job, tells it everywhere, and takes the others", async () => {
  await run(async (daemon, config) => {
    writeFileSync(
      config,
      `${TOML.replace('run = "true"', 'runn = "true"')}\n[jobs.f]\nrun = "true"\n`,
    );
    const { code, stdout, stderr } = await daemon.ask(["reload"]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^\S*config\.toml:4:1: jobs\.a\.runn: unknown/m);
    const { added, changed, removed } = JSON.parse(stdout);
    assert.deepEqual({ added, changed, removed }, { added: 1, changed: 1, removed: 0 });
    // The schedule of the broken job keeps its cursor.
    assert.equal(await idsOf(daemon), "abcde");
    await daemon.logged(/ERROR Job "a" is disabled: /);
    const status = await daemon.ask(["status", "-o", "json"]);
    assert.match(JSON.parse(status.stdout).reload_problem, /^disabled: a; /);
    const ready = await fetch(`http://127.0.0.1:${daemon.httpPort}/readyz?verbose`);
    assert.equal(ready.status, 200);
    assert.match(
      await ready.text(),
      /^\[\+\] store: ok\n[^]*\[-\] config: disabled: a; [^]*\nready\n$/,
    );
    const reason = "config.toml:4:1: jobs.a.runn: unknown key";
    assert.equal(JSON.parse(status.stdout).disabled[0].reason, reason);
    for (const asked of [["schedule", "a"], ["describe", "job", "a"]]) {
      const answer = await daemon.jobctl(asked);
      assert.notEqual(answer.code, 0);
      assert.ok(answer.stderr.includes(`it is disabled: ${reason}`), answer.stderr);
    }
    const metrics = await (await fetch(`http://127.0.0.1:${daemon.httpPort}/metrics`)).text();
    assert.match(metrics, /^jobctl_config_last_reload_successful 0$/m);

    writeFileSync(config, TOML);
    const back = await daemon.ask(["reload", "--force"]);
    assert.equal(back.code, 0);
    // One job is enabled again, and another is gone.
    assert.deepEqual([JSON.parse(back.stdout).added, JSON.parse(back.stdout).changed], [0, 1]);
    // Neither of the two lines of a reload looks like a second one.
    await daemon.logged(/INFO +Requested a reload .*by=/);
    await daemon.logged(/(The config was reloaded[^]*){3}/);
    assert.equal(daemon.log().split("The config was reloaded").length - 1, 3);
    assert.doesNotMatch(daemon.log(), /Reloaded the configuration/);
    const page = await (await fetch(`http://127.0.0.1:${daemon.httpPort}/metrics`)).text();
    assert.match(page, /^jobctl_config_last_reload_successful 1$/m);
  });
});

test("the jobs of an included file that cannot be read stay, at a reload and at a start", async () => {
  await run(async (daemon, config) => {
    const included = join(daemon.dir, "conf.d", "more.toml");
    writeFileSync(included, "[jobs.c\n");
    writeFileSync(config, `${TOML}\n[jobs.f]\nrun = "true"\nschedule = "0 1 * * *"\n`);
    const { code, stderr } = await daemon.ask(["reload"]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /more\.toml:1:\d+: not TOML/);
    await daemon.logged(
      /ERROR Cannot read "\S*more\.toml": not TOML: .*; its jobs stay as they were/,
    );
    assert.doesNotMatch(daemon.log(), /key=""/);
    const told = "files that cannot be read: more.toml; see";
    const status = JSON.parse((await daemon.ask(["status", "-o", "json"])).stdout);
    assert.ok(status.reload_problem.startsWith(told), status.reload_problem);
    const ready = await fetch(`http://127.0.0.1:${daemon.httpPort}/readyz?verbose`);
    assert.ok((await ready.text()).includes(`config: ${told}`));
    assert.equal(await idsOf(daemon), "abcdef");
    assert.equal((await daemon.ask(["schedule", "c", "--wait"])).code, 0);

    const again = await daemon.restart();
    assert.match(
      again.log(),
      /ERROR Cannot read "\S*more\.toml": not TOML: .*; its jobs are missing/,
    );
    assert.equal(await idsOf(again), "abcdef");
    writeFileSync(included, INCLUDED);
    assert.equal((await again.ask(["reload"])).code, 0);
    assert.equal(await idsOf(again), "abcdef");
    assert.equal((await again.ask(["schedule", "c", "--wait"])).code, 0);
    return again;
  });
});

test("a reload that would disable most jobs is refused", async () => {
  await run(async (daemon, config) => {
    writeFileSync(config, TOML.replaceAll('run = "true"', 'runn = "true"'));
    writeFileSync(join(daemon.dir, "conf.d", "more.toml"), INCLUDED.replace("run", "runn"));
    const { code, stderr } = await daemon.ask(["reload"]);
    assert.equal(code, 6, stderr);
    assert.match(stderr, /old one stays: it would disable 3 of 5 jobs: a, b, c/);
    assert.equal((await daemon.ask(["schedule", "a", "--wait"])).code, 0);
  });
});

test("a file that is being written is read when it is at rest", async () => {
  await run(async (daemon, config) => {
    const text = `${readFileSync(config, "utf8")}[jobs.f]\nrun = "true"\n`;
    writeFileSync(config, "");
    const reload = daemon.ask(["reload", "-o", "json"]);
    for (let length = 0; length < text.length; length += 20) {
      writeFileSync(config, text.slice(0, length));
      await sleep(30);
    }
    writeFileSync(config, text);
    const { code, stdout, stderr } = await reload;
    assert.equal(code, 0, stderr);
    const { changes, ...counts } = JSON.parse(stdout) as { changes: readonly { kind?: string }[] };
    assert.deepEqual(changes.map(({ kind }) => kind), ["f", undefined]);
    assert.deepEqual(counts, {
      ...{ jobs: 6, added: 1, changed: 0, removed: 0, restart: [], problems: [] },
      more_changes: 0,
    });
  });
});

test("schedules that a forced reload or a start with an empty file removed go on when they come back", async () => {
  await run(async (first, config) => {
    let daemon = first;
    const text = readFileSync(config, "utf8");
    const before = await schedulesOf(daemon);
    truncateSync(config);
    const { code, stderr } = await daemon.ask(["reload", "--force"]);
    assert.equal(code, 0, stderr);
    assert.equal(await idsOf(daemon), "");
    await daemon.logged(/No longer in the configuration: 5 of 5 schedules/);
    writeFileSync(config, text);
    assert.equal((await daemon.ask(["reload"])).code, 0);
    const times = (all: readonly ListedSchedule[]) => all.map((one) => [one.id, one.created_at]);
    assert.deepEqual(times(await schedulesOf(daemon)), times(before));

    truncateSync(config);
    daemon = await daemon.restart();
    try {
      await daemon.logged(/WARN.*No longer in the configuration: 5 of 5 schedules/i);
      assert.equal(await idsOf(daemon), "");
      writeFileSync(config, text);
      assert.equal((await daemon.ask(["reload"])).code, 0);
      assert.deepEqual(times(await schedulesOf(daemon)), times(before));
    } finally {
      await daemon.kill();
    }
  });
});
