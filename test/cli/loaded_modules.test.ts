import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { rpcWorld } from "../support/worlds/rpc_world.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RECORDER = join(ROOT, "test/support/processes/record_modules.ts");
/** Most modules of ours, and of packages, that a verb loads. Each adds to the time of its start. */
const MODULES_MAX = 140;

async function modulesOf(
  words: readonly string[],
  folder: string,
  input = "",
): Promise<readonly string[]> {
  const file = join(folder, "modules");
  const args = ["--preload", RECORDER, join(ROOT, "src/main.ts"), ...words];
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: {
      ...process.env,
      MODULES_FILE: file,
      JOBCTL_SOCKET: join(folder, "s.sock"),
      JOBCTL_OUTPUT: "",
    },
    stdio: ["pipe", "ignore", "inherit"],
  });
  child.stdin.end(input);
  const [code] = await once(child, "close");
  assert.equal(code, 0);
  return readFileSync(file, "utf8").trim().split("\n").map((path) => path.replace(ROOT, ""));
}

const LINES = [
  ["status"],
  ["list", "instances"],
  ["get", "instance", "ID"],
  ["logs", "ID"],
  ["schedule", "echo"],
  ["list", "instances", "-o", "json"],
  ["status", "-o", "json"],
];

for (const line of LINES) {
  test(`${line.join(" ")} loads little: neither gRPC nor descriptors nor other verbs`, {
    skip: runtimeName() !== "bun",
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "jobctl-modules-"));
    try {
      await using world = await rpcWorld({ server: { socket: join(folder, "s.sock") } });
      const { id } = world.manager.add({ state: "completed" });
      const modules = await modulesOf(line.map((word) => word === "ID" ? id : word), folder);
      const ours = modules.filter((path) => path.startsWith("src/"));
      const packages = new Set(
        modules.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
          .filter((name) => name !== undefined),
      );
      assert.deepEqual([...packages], []);
      assert.ok(ours.includes("src/rpc/client/socket_client.ts"));
      assert.deepEqual(ours.filter((path) => /_pb\.ts$/.test(path)), []);
      const verbs = ours.filter((path) => path.startsWith("src/cli/verbs/"));
      assert.ok(verbs.length <= 6, verbs.join(", "));
      assert.ok(modules.length <= MODULES_MAX, `${modules.length}: ${modules.join("\n")}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test("a Tab loads the verb on the line, and nothing of a daemon that it does not ask", {
  skip: runtimeName() !== "bun",
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-modules-"));
  try {
    const line = "\n\0jobctl list instances --st\0";
    const modules = await modulesOf(["__complete", "bash"], folder, line);
    assert.ok(modules.includes("src/cli/verbs/look/list.ts"));
    const unwanted = /node_modules|\/rpc\/(?!model\/time\.ts)|\/contexts\//;
    assert.deepEqual(modules.filter((path) => unwanted.test(path)), []);
    assert.ok(modules.length <= MODULES_MAX / 2, `${modules.length}: ${modules.join("\n")}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
