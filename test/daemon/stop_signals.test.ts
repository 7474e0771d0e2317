import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { silentLogger } from "../../src/platform/logger.ts";
import type { Reloader } from "../../src/daemon/reloader.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";
import { type AfterStop, StopSignals } from "../../src/daemon/stop_signals.ts";

/** A daemon whose jobs end when they are told to, and what is asked of it. */
function world({ onStop = null, fate = null }: {
  readonly onStop?: "keep" | "drain" | null;
  readonly fate?: "restart" | "stop" | null;
} = {}) {
  const seen: string[] = [];
  const drained = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<AfterStop>();
  const clock = new SimClock();
  const signals = new StopSignals({
    ...{ clock, logger: silentLogger, isWindows: false, onStop, drainMs: 30_000 },
    exit: (code) => void seen.push(`exit ${code}`),
    unitFate: () => Promise.resolve(fate),
  });
  const daemon = {
    manager: {
      async stop({ keepsCommands = false }: { readonly keepsCommands?: boolean | undefined } = {}) {
        seen.push(keepsCommands ? "keep" : "drain");
        await drained.promise;
      },
      stopControl: {
        waitsFor: "running attempts",
        abort: () => void seen.push("abort"),
        kill: () => void seen.push("kill"),
      },
      serviceFacts: () => ({ drain: () => ({ count: 1, limitMs: 40_000 }) }),
    },
    gateway: { stop: () => Promise.resolve() },
    heartbeat: { stop() {} },
    lost: new Promise<never>(() => {}),
  };
  const reloader = { reload: () => Promise.reject(new Error("not now")) } as unknown as Reloader;
  const stopped = signals.stopped(daemon, reloader, begun.resolve);
  return {
    ...{ clock, signals, seen, begun: begun.promise },
    async end() {
      drained.resolve();
      await stopped;
      signals.close();
    },
  };
}

/** What a first signal does. */
async function first(signal: "SIGTERM" | "SIGINT", options: Parameters<typeof world>[0]) {
  const { seen, begun, end } = world(options);
  process.emit(signal, signal);
  await begun;
  await end();
  return seen.join();
}

test("SIGTERM keeps commands if systemd restarts the unit, and drains otherwise", async () => {
  assert.equal(await first("SIGTERM", { fate: "restart" }), "keep");
  assert.equal(await first("SIGTERM", { fate: "stop" }), "drain");
  assert.equal(await first("SIGTERM", { fate: null }), "drain");
});

test("worker.on_stop decides for SIGTERM, except that systemd's stop always drains", async () => {
  assert.equal(await first("SIGTERM", { onStop: "keep", fate: null }), "keep");
  assert.equal(await first("SIGTERM", { onStop: "keep", fate: "restart" }), "keep");
  assert.equal(await first("SIGTERM", { onStop: "keep", fate: "stop" }), "drain");
  assert.equal(await first("SIGTERM", { onStop: "drain", fate: "restart" }), "drain");
});

test("SIGINT drains, whatever is configured", async () => {
  assert.equal(await first("SIGINT", { onStop: "keep", fate: "restart" }), "drain");
});

test("a request to stop drains, and ends commands that a restart would keep", async () => {
  const asked = world({ onStop: "keep" });
  asked.signals.request({ isNow: false });
  assert.equal(await asked.begun, "nothing");
  await asked.end();
  assert.deepEqual(asked.seen, ["drain"]);
  const late = world({ fate: "restart" });
  process.emit("SIGTERM", "SIGTERM");
  await late.begun;
  late.signals.request({ isNow: false });
  await late.end();
  assert.deepEqual(late.seen, ["keep", "drain"]);
});

test("an upgrade keeps commands even if a SIGTERM would not; a signal makes a stop of it", async () => {
  const upgraded = world({ onStop: "drain" });
  upgraded.signals.startAgain("upgrade");
  assert.equal(await upgraded.begun, "upgrade");
  await upgraded.end();
  assert.deepEqual(upgraded.seen, ["keep"]);
  assert.equal(upgraded.signals.after, "upgrade");
  assert.throws(() => upgraded.signals.startAgain("upgrade"), /daemon: it is stopping/);

  const stopped = world();
  stopped.signals.startAgain("upgrade");
  await stopped.begun;
  process.emit("SIGTERM", "SIGTERM");
  assert.equal(stopped.signals.after, "nothing");
  assert.deepEqual(stopped.seen, ["keep", "drain"]);
  process.emit("SIGTERM", "SIGTERM");
  await stopped.end();
  assert.deepEqual(stopped.seen, ["keep", "drain", "drain", "abort"]);
});

test("a second signal aborts, also commands that were to be kept", async () => {
  const { seen, begun, end } = world({ fate: "restart" });
  process.emit("SIGTERM", "SIGTERM");
  await begun;
  process.emit("SIGTERM", "SIGTERM");
  await end();
  assert.deepEqual(seen, ["keep", "drain", "abort"]);
});

test("a stop ends the process 5 s after its drain, whatever the daemon waits for", async () => {
  const { clock, seen, signals, begun } = world();
  process.emit("SIGTERM", "SIGTERM");
  await begun;
  await clock.advance(44_900);
  assert.deepEqual(seen, ["drain"]);
  await clock.advance(200);
  assert.deepEqual(seen, ["drain", "kill", "exit 1"]);
  signals.close();
});

test("a second signal ends the process within 2 s", async () => {
  const { clock, seen, signals, begun } = world();
  process.emit("SIGTERM", "SIGTERM");
  await begun;
  await clock.advance(1_000);
  process.emit("SIGTERM", "SIGTERM");
  await clock.advance(1_900);
  assert.deepEqual(seen, ["drain", "drain", "abort"]);
  await clock.advance(200);
  assert.deepEqual(seen, ["drain", "drain", "abort", "kill", "exit 1"]);
  signals.close();
});

test("a daemon that has stopped, and still holds its process, is ended with exit code 0", async () => {
  const { clock, seen, begun, end } = world();
  process.emit("SIGTERM", "SIGTERM");
  await begun;
  await end();
  await clock.advance(1_900);
  assert.deepEqual(seen, ["drain"]);
  await clock.advance(200);
  assert.deepEqual(seen, ["drain", "exit 0"]);
});

test("a signal during the start ends the process, too, in time", async () => {
  const clock = new SimClock();
  const seen: number[] = [];
  const signals = new StopSignals({
    ...{ clock, logger: silentLogger, isWindows: false, onStop: null, drainMs: 3_000 },
    exit: (code) => void seen.push(code),
    unitFate: () => Promise.resolve(null),
  });
  process.emit("SIGTERM", "SIGTERM");
  await clock.advance(7_900);
  assert.deepEqual(seen, []);
  await clock.advance(200);
  assert.deepEqual(seen, [1]);
  signals.close();
});
