import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import type { ExecTarget } from "../../../src/notices/channels/exec_channel.ts";
import type { SyslogTarget } from "../../../src/notices/channels/syslog_channel.ts";
import { readSystemFile } from "../../../src/platform/files/read_file.ts";
import {
  channelFor,
  deliver,
  failureOf,
  withTcpServer,
} from "../../support/notices/channel_world.ts";
import { NOTICE_ID, RUN_ID, sampleNotice } from "../../support/notices/sample_notices.ts";
import { type TempDir, withTempDir } from "../../support/temp_dir.ts";
import { until } from "../../support/wait.ts";

function execOf(dir: TempDir, name: string, changes: Partial<ExecTarget> = {}): ExecTarget {
  const path = `${dir.path}/${name}`;
  chmodSync(path, 0o755);
  return { to: "exec", command: [path, "a b", "$HOME"], env: {}, ...changes };
}

test("deliver() runs a program without a shell, with the notice on its input and in variables", async () => {
  const script =
    '#!/bin/sh\nd=$(dirname "$0"); printf "%s|" "$@" > $d/args; cat > $d/in; env > $d/env\n';
  await withTempDir({ tell: script }, async (dir) => {
    const target = execOf(dir, "tell", { env: { OWN: "1" } });
    await deliver(channelFor(target), sampleNotice({ title: "x\ny; rm -rf ~" }));
    assert.equal(readFileSync(`${dir.path}/args`, "utf8"), "a b|$HOME|");
    const notice = JSON.parse(readFileSync(`${dir.path}/in`, "utf8"));
    assert.deepEqual([notice.event, notice.run.id, notice.channel], ["failed", RUN_ID, "ops"]);
    const env = readFileSync(`${dir.path}/env`, "utf8");
    assert.match(env, /^JOBCTL_EVENT=failed$/m);
    assert.match(env, /^JOBCTL_KIND=backup$/m);
    assert.match(env, /^JOBCTL_TITLE=x\\ny; rm -rf ~$/m);
    assert.match(env, /^JOBCTL_EXIT_CODE=2$/m);
    assert.match(env, /^OWN=1$/m);
    const known = /^(?:JOBCTL_|OWN=|PATH=|HOME=|USER=|LOGNAME=|SHELL=|PWD=|_=|SHLVL=|OLDPWD=)/;
    const texts =
      /^(?: |$|-- |Job: |Time: |Run: |Planned|Started|Ran for|Attempt|Version|Node|Incident|Last|See|backup failed|Command|jobctl on)/;
    assert.deepEqual(env.split("\n").filter((line) => !known.test(line) && !texts.test(line)), []);
  });
});

test("deliver() fails with the end of the output when the program fails", async () => {
  const script = "#!/bin/sh\necho first; echo no route to pager >&2; exit 3\n";
  await withTempDir({ tell: script }, async (dir) => {
    const error = await failureOf(channelFor(execOf(dir, "tell")));
    assert.match(error.message, /tell" exited with code 3: .*no route to pager$/);
    assert.equal(error.isPermanent, false);
  });
});

test("deliver() succeeds when the program does not read its input", async () => {
  await withTempDir({ tell: "#!/bin/sh\nexit 0\n" }, async (dir) => {
    const output = Array.from({ length: 50 }, () => "x".repeat(10_000));
    await deliver(channelFor(execOf(dir, "tell")), sampleNotice({ output }));
  });
});

test("deliver() kills the program and what it has started at the time limit", async () => {
  const script = '#!/bin/sh\nsleep 1000 & echo $! > "$0.pid"; mv "$0.pid" "$0.ready"; wait\n';
  await withTempDir({ tell: script }, async (dir) => {
    const error = await failureOf(channelFor(execOf(dir, "tell"), { timeoutMs: 1_000 }));
    assert.match(error.message, /no response within 1 s/);
    const pid = readFileSync(`${dir.path}/tell.ready`, "utf8").trim();
    await until("the child has ended", () => {
      const state = /^State:\s+(\w)/m.exec(readSystemFile(`/proc/${pid}/status`) ?? "")?.[1];
      return state === undefined || state === "Z";
    });
  });
});

test("deliver() fails when there is no such program", async () => {
  const error = await failureOf(channelFor({ to: "exec", command: ["/no/such"], env: {} }));
  assert.match(error.message, /cannot run "\/no\/such": no such program/);
});

test("preview() shows the command, its variables and its input", async () => {
  const target: ExecTarget = {
    to: "exec",
    command: ["/bin/tell", "a b"],
    env: { KEY: "s3cret-key" },
  };
  const text = await channelFor(target, { secrets: ["s3cret-key"] }).preview(sampleNotice());
  assert.match(text, /^KEY=\*\*\*\nJOBCTL_EVENT=failed\n/);
  assert.match(text, /\n\/bin\/tell 'a b'\n\n\{"id":/);
});

const syslog = (address: SyslogTarget["address"]): SyslogTarget => ({
  to: "syslog",
  address,
  facility: "local3",
});
const WANTED = new RegExp(
  `^<155>1 2026-01-15T09:30:00\\.000Z db1 jobctl - failed \\[jobctl@32473 event="failed" ` +
    `notice="${NOTICE_ID}" subject="a\\\\"b\\\\]" .*\\] backup failed: Command "tar" exited with code 2; Ran for 1m; Attempt 2; Job: a"b\\]; Run: `,
);
const NOTICE = sampleNotice({ subject: { type: "job", name: 'a"b]' } });

test("deliver() sends a datagram of RFC 5424 to another host's log", async () => {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const received = new Promise<string>((resolve) => {
    socket.once("message", (message) => resolve(message.toString()));
  });
  try {
    const { port } = socket.address();
    await deliver(channelFor(syslog({ type: "udp", host: "127.0.0.1", port })), NOTICE);
    assert.match(await received, WANTED);
  } finally {
    socket.close();
  }
});

test("deliver() sends a message with its length to another host's log over TCP", async () => {
  const received = Promise.withResolvers<string>();
  await withTcpServer((socket) => {
    let text = "";
    socket.on("data", (chunk) => text += chunk);
    socket.on("end", () => received.resolve(text));
  }, async (port) => {
    await deliver(channelFor(syslog({ type: "tcp", host: "127.0.0.1", port })), NOTICE);
    const [, length, frame] = /^(\d+) (.*)$/s.exec(await received.promise)!;
    assert.equal(Number(length), Buffer.byteLength(frame!));
    assert.match(frame!, WANTED);
  });
});

test("deliver() fails when another host's log refuses the connection", async () => {
  const port = await withTcpServer(() => {}, (found) => Promise.resolve(found));
  const error = await failureOf(channelFor(syslog({ type: "tcp", host: "127.0.0.1", port })));
  assert.match(error.message, /cannot send to 127\.0\.0\.1:\d+: connection refused/);
});

test("deliver() writes to a log socket of this host", async () => {
  await withTempDir({}, async (dir) => {
    const path = `${dir.path}/log`;
    const received = Promise.withResolvers<string>();
    const server = createServer((socket) => {
      let text = "";
      socket.on("data", (chunk) => text += chunk);
      socket.on("end", () => received.resolve(text));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      await deliver(channelFor(syslog({ type: "socket", path })));
      assert.match(
        await received.promise,
        /^<155>.*jobctl.*: backup failed: Command "tar" exited with code 2; Ran for 1m; /,
      );
    } finally {
      server.close();
      rmSync(path, { force: true });
    }
  });
});

test("deliver() fails when the log socket is missing", async () => {
  const error = await failureOf(channelFor(syslog({ type: "socket", path: "/no/such/socket" })));
  assert.match(error.message, /"logger" exited with code 1: .*\/no\/such\/socket/);
});
