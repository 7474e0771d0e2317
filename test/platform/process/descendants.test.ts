import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { type Clock, systemClock } from "../../../src/platform/clock.ts";
import { findFamilyInTurns, killFamilyInTurns } from "../../../src/platform/process/descendants.ts";
import { until } from "../../support/wait.ts";

const isLinux = process.platform === "linux";
const CHILDREN = 150;
/** More processes than are examined while the clock of {@link countingClock} shows one slice. */
const SLICE_PROCESSES = 10;

/** A clock that moves on by a millisecond whenever it is read, and counts the turns of others. */
function countingClock(): Clock & { turns: number } {
  let monotonicMs = 0;
  return {
    ...systemClock,
    turns: 0,
    now: () => ({ wallMs: 0, monotonicMs: monotonicMs++ }),
    defer(callback) {
      this.turns += 1;
      systemClock.defer(callback);
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

test("killFamilyInTurns() lets others have their turn while it kills many processes", {
  skip: !isLinux,
}, async () => {
  const script = `i=0; while [ $i -lt ${CHILDREN} ]; do sleep 60 & i=$((i+1)); done; wait`;
  const shell = spawn("/bin/sh", ["-c", script], { stdio: "ignore", detached: true });
  const family = { marker: "no-such-marker", sessions: new Set([shell.pid!]) };
  let found: number[] = [];
  try {
    await until("all have begun", async () => {
      found = await findFamilyInTurns(family, process.pid, systemClock);
      return found.length === CHILDREN + 1;
    });
  } finally {
    const seen = countingClock();
    const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length;
    await killFamilyInTurns(family, process.pid, seen);
    assert.ok(seen.turns >= Math.floor(all * 0.9 / SLICE_PROCESSES), `${seen.turns} turns`);
  }
  await until("all have ended", () => !found.some(isAlive));
});
