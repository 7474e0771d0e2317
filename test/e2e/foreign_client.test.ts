import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { skipWithout } from "../../scripts/programs/install.mjs";
import { startDaemon } from "../support/processes/daemon.ts";

// Debian's own Python is the one that python3-grpcio is installed for.
const PYTHON = "/usr/bin/python3";
const MODULES = ["grpc", "google/protobuf"].map((name) =>
  `/usr/lib/python3/dist-packages/${name}/__init__.py`
);
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

test("a foreign client of go-job's contract passes every method", {
  skip: skipWithout(PYTHON, ...MODULES),
}, async () => {
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
