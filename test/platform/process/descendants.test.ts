import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import {
  findFamilyInTurns,
  killFamilyInTurns,
  TURN_PROCESSES_MAX,
} from "../../../src/platform/process/descendants.ts";
import { until } from "../../support/wait.ts";

const isLinux = process.platform === "linux";
const CHILDREN = 3 * TURN_PROCESSES_MAX;

/** How often a look let others have their turn. */
function countingTurn() {
  const counted = { turns: 0, turn: () => Promise.resolve() };
  counted.turn = () => {
    counted.turns += 1;
    return new Promise((resolve) => setImmediate(resolve));
  };
  return counted;
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
      found = await findFamilyInTurns(family, process.pid, countingTurn().turn);
      return found.length === CHILDREN + 1;
    });
  } finally {
    const seen = countingTurn();
    const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length;
    await killFamilyInTurns(family, process.pid, seen.turn);
    assert.ok(seen.turns >= Math.floor(all * 0.9 / TURN_PROCESSES_MAX), `${seen.turns} turns`);
  }
  await until("all have ended", () => !found.some(isAlive));
});
