import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../src/rpc/client.ts";
import { selfCommand } from "../../src/platform/process.ts";
import type { Figures } from "./main.ts";

const CALLS = 2_000;

/** Durable ScheduleJob requests a second over TCP against a daemon in a process of its own. */
export async function measureGrpc(): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const file = join(dir, "config.toml");
  const config = [
    `modules = []`,
    `[store]`,
    `url = "sqlite:bench.db"`,
    `[server]`,
    `port = 0`,
    `http = ""`,
    `socket = ""`,
    `auth = { mode = "none" }`,
    `[worker]`,
    `count = 0`,
    `[jobs.noop]`,
    `command = ["true"]`,
  ];
  writeFileSync(file, config.join("\n"));
  const [program, ...args] = selfCommand();
  const daemon = spawn(program!, [...args, "serve", "--config", file], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    const port = await listeningPort(daemon.stderr);
    const client = connect({ host: "127.0.0.1", port, socket: null, timeoutMs: 30_000 });
    const figures: Record<string, number> = {};
    for (const callers of [1, 16, 100]) {
      const started = performance.now();
      await Promise.all(Array.from({ length: callers }, async () => {
        for (let i = 0; i < CALLS / callers; i++) await client.scheduleJob({ kind: "noop" });
      }));
      figures[`schedule_${callers}_per_s`] = CALLS / ((performance.now() - started) / 1_000);
    }
    client.close();
    return figures;
  } finally {
    daemon.kill("SIGTERM");
    await once(daemon, "exit");
    rmSync(dir, { recursive: true, force: true });
  }
}

async function listeningPort(log: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface({ input: log })) {
    const found = /grpc:\/\/127\.0\.0\.1:(\d+)/.exec(line);
    if (found) {
      log.resume();
      return Number(found[1]);
    }
  }
  throw new Error("The daemon ended before it was ready");
}
