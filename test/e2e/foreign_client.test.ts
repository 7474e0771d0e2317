import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startDaemon } from "../support/processes/daemon.ts";

// Debian's own Python is the one that python3-grpcio is installed for.
const PYTHON = "/usr/bin/python3";
const CLIENT = fileURLToPath(new URL("../rpc/go_job_client.py", import.meta.url));

const ADD = `export default function add(x: number, y: number): number {
  return x + y;
}
`;
const SLOW = `export default function slow(signal: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    const timer = setInterval(() => {}, 1_000);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      reject(signal.reason);
    });
  });
}
`;

/** Why the client cannot run here; null when it can. */
function missing(): string | null {
  const { status } = spawnSync(PYTHON, ["-c", "import grpc, google.protobuf"], { stdio: "ignore" });
  return status === 0 ? null : "python3-grpcio is not installed (apt-get install python3-grpcio)";
}

test("a foreign client of go-job's contract passes every method", async (context) => {
  const reason = missing();
  if (reason !== null && !process.env.CI) return context.skip(reason);
  assert.equal(reason, null);
  const daemon = await startDaemon({
    toml: '[server]\nauth = { mode = "none" }\n[worker]\ncount = 2\n',
    modules: { "add.ts": ADD, "slow.ts": SLOW },
  });
  try {
    const args = [CLIENT, `127.0.0.1:${daemon.port}`, "add", "slow"];
    let output = "";
    const client = execFile(PYTHON, args, { timeout: 60_000 }, (_error, stdout, stderr) => {
      output = stdout + stderr;
    });
    const [code] = await once(client, "close") as [number | null];
    assert.equal(code, 0, output);
    assert.ok(output.includes("all ok"), output);
  } finally {
    await daemon.stop();
  }
});
