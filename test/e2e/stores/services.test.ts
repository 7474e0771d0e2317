import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../../support/wait.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

test("npm run services runs a Valkey and an etcd until it is ended, and leaves nothing", async () => {
  const services = spawn("npm", ["run", "--silent", "services"], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [services.stdout, services.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => output += text);
  }
  const exited = new Promise((resolve) => services.once("exit", resolve));
  try {
    await until("both are ready", () => output.includes("Both run until Ctrl-C"));
    const ports = [
      /^export JOBCTL_TEST_VALKEY=valkey:\/\/127\.0\.0\.1:(\d+)$/m,
      /^export JOBCTL_TEST_ETCD=etcd:\/\/127\.0\.0\.1:(\d+)$/m,
    ].map((line) => Number(line.exec(output)?.[1]));
    const folder = /data in (\S+) go/.exec(output)![1]!;
    assert.deepEqual(await Promise.all(ports.map(isListening)), [true, true]);
    assert.ok(existsSync(folder));
    services.kill("SIGTERM");
    await exited;
    await until("both are gone", async () => {
      return !(await Promise.all(ports.map(isListening))).includes(true);
    });
    await until("their folder is gone", () => !existsSync(folder));
  } finally {
    services.kill("SIGTERM");
  }
});
