import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { startDaemon } from "../../support/processes/daemon.ts";
import { withNotifyReceiver } from "../../support/servers/notify_receiver.ts";
import { linesOf, sleep, until } from "../../support/wait.ts";

const JOBS = `
[jobs.show]
run = 'env > "$JOB_ARG_file"'
params = "file: string"

[jobs.slow]
run = "sleep 2"
`;

/** Blocks the thread of the scheduler as long as its first argument says. */
const SPIN = {
  "spin.ts": `export default {
    kind: "spin",
    isolation: "inline",
    run(seconds: number) {
      const end = Date.now() + seconds * 1000;
      while (Date.now() < end);
    },
  };\n`,
};

test("serve tells the service manager that it is ready, reloads and stops", async () => {
  await withNotifyReceiver(async (receiver) => {
    const daemon = await startDaemon({ toml: JOBS, env: { NOTIFY_SOCKET: receiver.path } });
    try {
      await receiver.received(/^READY=1$/m);
      await receiver.received(/^STATUS=Running 0 of \d+, 0 queued$/m);
      const from = receiver.messages.length;
      assert.equal((await daemon.jobctl(["reload"])).code, 0);
      assert.match(await receiver.received(/^RELOADING=1$/m), /^MONOTONIC_USEC=[1-9]\d+$/m);
      await receiver.received(/^READY=1$/m, from);
    } finally {
      await daemon.stop();
    }
    await receiver.received(/^STOPPING=1$/m);
    assert.ok(receiver.messages.every((message) => !message.includes("WATCHDOG")));
  });
});

test("serve reports to a socket with an abstract name", async () => {
  await withNotifyReceiver(async (receiver) => {
    const daemon = await startDaemon({ env: { NOTIFY_SOCKET: receiver.path } });
    await receiver.received(/^READY=1$/m);
    await daemon.stop();
  }, `@jobctl-test-${process.pid}`);
});

test("serve asks for more time as long as a running job drains", async () => {
  await withNotifyReceiver(async (receiver) => {
    const daemon = await startDaemon({ toml: JOBS, env: { NOTIFY_SOCKET: receiver.path } });
    try {
      assert.equal((await daemon.jobctl(["schedule", "slow"])).code, 0);
      await until(
        "the job runs",
        async () =>
          /slow/.test((await daemon.jobctl(["list", "instances", "--state", "processing"])).stdout),
      );
    } finally {
      await daemon.stop();
    }
    const asked = await receiver.received(/^EXTEND_TIMEOUT_USEC=\d+$/m);
    assert.match(asked, /^STATUS=Stopping: waiting up to \w+ for 1 running job$/m);
  });
});

test("serve feeds the watchdog twice in its time, and not while the scheduler is blocked", async () => {
  await withNotifyReceiver(async (receiver) => {
    const env = { NOTIFY_SOCKET: receiver.path, WATCHDOG_USEC: "1000000" };
    const daemon = await startDaemon({ modules: SPIN, env });
    try {
      const pulses = () => receiver.messages.filter((one) => /^WATCHDOG=1$/m.test(one)).length;
      for (let from = 0, seen = 0; seen < 4; seen++) {
        await receiver.received(/^WATCHDOG=1$/m, from);
        from = receiver.messages.length;
      }
      void daemon.jobctl(["schedule", "spin", "4"]).catch(() => {});
      // The job begins within a second, and then nothing comes for longer than the watchdog allows.
      await sleep(1_500);
      const before = pulses();
      await sleep(1_500);
      assert.equal(pulses(), before);
      await receiver.received(/^WATCHDOG=1$/m, receiver.messages.length);
    } finally {
      await daemon.stop();
    }
  });
});

test("serve leaves nothing of the service manager in the environment of jobs", async () => {
  await withNotifyReceiver(async (receiver) => {
    const env = {
      NOTIFY_SOCKET: receiver.path,
      WATCHDOG_USEC: "60000000",
      LISTEN_FDS: "1",
      LISTEN_PID: "1",
    };
    const modules = {
      "variables.ts": `import { writeFileSync } from "node:fs";
export default function variables(file: string) {
  writeFileSync(file, Object.keys(process.env).join("\\n"));
}\n`,
      "inside.ts": `export default {
  kind: "inside",
  isolation: "inline",
  run: () => Object.keys(process.env).filter((name) => /NOTIFY|WATCHDOG|LISTEN/.test(name)),
};\n`,
    };
    const daemon = await startDaemon({ toml: JOBS, modules, env });
    try {
      await receiver.received(/^READY=1$/m);
      const file = join(daemon.dir, "variables.txt");
      for (const kind of ["show", "variables"]) {
        const run = await daemon.jobctl(["schedule", kind, file, "--wait"]);
        assert.equal(run.code, 0, run.stderr);
        const text = linesOf(file).join("\n");
        assert.match(text, /^PATH\b/m);
        assert.doesNotMatch(text, /NOTIFY|WATCHDOG|LISTEN/);
      }
      const inside = await daemon.jobctl(["schedule", "inside", "--wait", "-o", "json"]);
      assert.equal(inside.code, 0, inside.stderr);
      assert.doesNotMatch(inside.stdout, /NOTIFY|WATCHDOG|LISTEN/);
    } finally {
      await daemon.stop();
    }
  });
});
