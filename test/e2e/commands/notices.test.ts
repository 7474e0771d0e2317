import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { type Daemon, type RunResult, startDaemon } from "../../support/processes/daemon.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { until } from "../../support/wait.ts";

/** An unprivileged user of every Debian, and the group that is given the socket. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const needsRoot = process.getuid?.() === 0 ? {} : { skip: "it takes the place of another user" };

/** A job that fails while there is a file `broken`, and a channel that writes to a file. */
function tomlIn(path: string): string {
  return `
[server]
socket_group = "${NOBODY.gid}"

[jobs.work]
command = ["test", "!", "-e", "${path}/broken"]
retry = 0

[jobs.other]
command = ["true"]

[notices.ops]
to = "exec"
command = ["/bin/sh", "-c", "cat >> ${path}/told; echo >> ${path}/told"]

[notices.broken]
to = "exec"
command = ["sh", "-c", "echo no pager >&2; exit 9"]
on = ["store"]
`;
}

interface World {
  readonly daemon: Daemon;
  /** Run jobctl; a failure to succeed fails the test. */
  ok(...args: readonly string[]): Promise<RunResult>;
  /** Run the job to its end, failing or not. */
  run(outcome: "fail" | "ok"): Promise<void>;
  /** What the channel was told: event and job, or the items of a digest. */
  told(): readonly string[];
}

async function withDaemon(action: (world: World) => Promise<void>): Promise<void> {
  await withTempDir({}, async ({ path }) => {
    const daemon = await startDaemon({ toml: tomlIn(path) });
    const file = join(path, "told");
    const ok = async (...args: readonly string[]) => {
      const done = await daemon.jobctl(args);
      assert.equal(done.code, 0, `${args.join(" ")}: ${done.stderr}`);
      return done;
    };
    const run = async (outcome: "fail" | "ok") => {
      const broken = join(path, "broken");
      if (outcome === "fail") writeFileSync(broken, "");
      else rmSync(broken, { force: true });
      const { code } = await daemon.jobctl(["schedule", "work", "--wait"]);
      assert.equal(code, outcome === "fail" ? 3 : 0);
    };
    const told = () => {
      const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
      return lines.filter((line) => line.startsWith("{") && line.endsWith("}")).map((line) => {
        const { event, subject, items = [] } = JSON.parse(line);
        const each = items.map((item: { event: string }) => item.event).join(" ");
        return event === "digest" ? `digest: ${each}` : `${event} ${subject.name}`;
      });
    };
    try {
      await action({ daemon, ok, run, told });
    } finally {
      await daemon.stop();
    }
  });
}

test("a failing job is an incident that is listed, acknowledged, and closed by a success", () =>
  withDaemon(async ({ daemon, ok, run, told }) => {
    assert.deepEqual(JSON.parse((await ok("incidents")).stdout), []);
    await run("fail");
    await until("it is told", () => told().length === 1);
    assert.deepEqual(told(), ["failed work"]);
    const [incident, ...others] = JSON.parse((await ok("incidents", "work")).stdout);
    assert.deepEqual(others, []);
    const { id, type, name, events, count } = incident;
    assert.deepEqual([type, name, events, count], ["job", "work", ["failed"], 1]);
    assert.deepEqual(incident.notified, ["ops"]);
    for (const word of ["wrk", "other", "node:work", id.slice(0, 3)]) {
      const { code } = await daemon.jobctl(["ack", word]);
      assert.ok(code === 4 || code === 2, word);
    }
    const acknowledged = JSON.parse((await ok("ack", id.slice(0, 13))).stdout);
    assert.ok(acknowledged.acknowledged_by !== undefined);
    await daemon.logged(/Acknowledged an incident/);
    const status = await ok("status", "-o", "table");
    assert.match(status.stdout, /^Incidents: +1 open, 1 of them acknowledged$/m);
    assert.match(status.stdout, /^Incident: +work since .*, acknowledged by .*, failed/m);
    assert.match((await ok("describe", "job", "work", "-o", "table")).stdout, /^Incident: +work/m);
    await run("ok");
    await until("it is told", () => told().length === 2);
    assert.deepEqual(told(), ["failed work", "recovered work"]);
    assert.deepEqual(JSON.parse((await ok("incidents")).stdout), []);
    const [closed] = JSON.parse((await ok("incidents", "--all")).stdout);
    assert.deepEqual([closed.id, closed.closed_at !== undefined], [id, true]);
    assert.equal((await daemon.jobctl(["ack", "work"])).code, 4);
  }));

test("a silence holds notices back over a restart, and its end sends one summary", () =>
  withTempDir({}, async ({ path }) => {
    const daemon = await startDaemon({ toml: tomlIn(path) });
    try {
      const silenced = await daemon.jobctl([
        "silence",
        "work",
        "--until",
        "+1h",
        "--reason",
        "disk",
      ]);
      assert.equal(silenced.code, 0, silenced.stderr);
      assert.equal((await daemon.jobctl(["silence", "wrk", "--until", "+1h"])).code, 4);
      assert.equal((await daemon.jobctl(["silence", "work", "--until", "+32d"])).code, 2);
      writeFileSync(join(path, "broken"), "");
      assert.equal((await daemon.jobctl(["schedule", "work", "--wait"])).code, 3);
      const again = await daemon.restart();
      try {
        const [silence, ...others] = JSON.parse((await again.jobctl(["list", "silences"])).stdout);
        assert.deepEqual([silence.kind, silence.reason, others], ["work", "disk", []]);
        assert.equal(JSON.parse((await again.jobctl(["incidents"])).stdout).length, 1);
        assert.equal(existsSync(join(path, "told")), false);
        const ended = await again.jobctl(["silence", "--end", "work"]);
        assert.deepEqual(JSON.parse(ended.stdout), { kind: "work", was_silenced: true });
        await until("it is told", () => existsSync(join(path, "told")));
        await until("it is told", () => readFileSync(join(path, "told"), "utf8").includes("}\n"));
        const notice = JSON.parse(readFileSync(join(path, "told"), "utf8"));
        assert.deepEqual([notice.event, notice.items.length], ["digest", 1]);
        assert.match(notice.facts.join("\n"), /work was silenced by .* to .*: disk/);
      } finally {
        await again.terminate();
      }
    } finally {
      await daemon.stop();
    }
  }));

test("notices list and test show the channel; one that fails ends with exit code 3", () =>
  withDaemon(async ({ daemon, ok, told }) => {
    const [channel, broken] = JSON.parse((await ok("notices", "list")).stdout);
    assert.deepEqual([channel.name, channel.to, channel.jobs], ["ops", "exec", ["*"]]);
    const dry = JSON.parse((await ok("notices", "test", "ops", "--dry-run")).stdout);
    assert.deepEqual([dry.is_sent, told()], [false, []]);
    assert.match(dry.text, /cat >>/);
    const sent = JSON.parse((await ok("notices", "test", "ops")).stdout);
    assert.equal(sent.is_sent, true);
    assert.deepEqual(told(), ["test ops"]);
    assert.deepEqual([broken.name, broken.on], ["broken", ["store"]]);
    const failed = await daemon.jobctl(["notices", "test", "broken"]);
    assert.equal(failed.code, 3, failed.stderr);
    assert.match(failed.stderr, /^jobctl: Cannot deliver through channel "broken": .*9/);
    const unknown = await daemon.jobctl(["notices", "test", "opz"]);
    assert.equal(unknown.code, 4, unknown.stderr);
  }));

test(
  "an operator silences a job, and not everything; nor does it test a channel",
  needsRoot,
  () =>
    withDaemon(async ({ daemon, ok, run }) => {
      const socket = join(daemon.dir, "jobctl.sock");
      const env = { JOBCTL_SOCKET: socket, JOBCTL_TOKEN_FILE: undefined, HOME: "/" };
      const as = (...args: readonly string[]) => daemon.jobctl(args, { env, as: NOBODY, cwd: "/" });
      const refused = [
        ["silence", "--all", "--until", "+1h"],
        ["silence", "--all", "--end"],
        ["notices", "test", "ops"],
        ["notices", "test", "ops", "--dry-run"],
        ["cancel", "instances", "--kind", "system.notice.ops", "--yes"],
      ];
      for (const args of refused) {
        const { code, stderr } = await as(...args);
        assert.equal(code, 5, `${args.join(" ")}: ${stderr}`);
      }
      for (const kind of ["system.notices", "system.notice.ops"]) {
        assert.equal((await as("pause", kind)).code, 2);
        assert.equal((await as("schedule", kind)).code, 2);
        assert.equal((await as("silence", kind, "--until", "+1h")).code, 2);
      }
      assert.deepEqual(JSON.parse((await ok("list", "silences")).stdout), []);
      const silenced = await as("silence", "work", "--until", "+1h");
      assert.equal(silenced.code, 0, silenced.stderr);
      assert.equal(JSON.parse(silenced.stdout).by, "nobody");
      await run("fail");
      assert.equal(JSON.parse((await as("ack", "work")).stdout).acknowledged_by, "nobody");
    }),
);
