import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { beginAnew, thisProcess } from "../../../src/platform/process/process_identity.ts";
import { until } from "../../support/wait.ts";

const isLinux = process.platform === "linux";

/**
 * The identity with another part in place of the `index`-th: boot, namespace, number, start,
 * program.
 */
function altered(index: number, part: string): string {
  return thisProcess().process!.split("/").map((own, at) => at === index ? part : own).join("/");
}

test("thisProcess() knows itself as alive", { skip: !isLinux }, () => {
  const self = thisProcess();
  assert.equal(self.pid, process.pid);
  assert.equal(self.process!.split("/").length, 5);
  assert.equal(self.fateOf(self.process), "alive");
});

test(
  "fateOf() tells a process that ended from a later one with its number",
  { skip: !isLinux },
  async () => {
    const child = spawn("sleep", ["60"]);
    const { pid } = child;
    const { fateOf } = thisProcess();
    const ofChild = altered(2, String(pid));
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ");
    const itself = ofChild.split("/").with(3, stat[21]!).join("/");
    assert.equal(fateOf(itself), "alive");
    process.kill(pid!, "SIGSTOP");
    await until("it is stopped", () => fateOf(itself) === "unknown");
    assert.equal(fateOf(ofChild), "gone", "a process of that number that began at another time");
    const ended = new Promise((resolve) => child.on("exit", resolve));
    process.kill(pid!, "SIGKILL");
    await ended;
    assert.equal(fateOf(itself), "gone");
  },
);

test("fateOf() of a program that this process ran before is gone", { skip: !isLinux }, () => {
  const { fateOf, process: own } = thisProcess();
  assert.equal(fateOf(altered(4, "another")), "gone");
  // Of an earlier version, which did not name its program.
  assert.equal(fateOf(own!.split("/").slice(0, 4).join("/")), "gone");
});

test("fateOf() of what this process was before it began anew is gone", { skip: !isLinux }, () => {
  const before = thisProcess();
  beginAnew();
  assert.equal(before.fateOf(before.process), "gone");
  assert.equal(before.fateOf(thisProcess().process), "alive");
});

test("fateOf() knows nothing of another boot, another container or no process at all", () => {
  const { fateOf } = thisProcess();
  assert.equal(fateOf(null), "unknown");
  assert.equal(fateOf("nonsense"), "unknown");
  if (!isLinux) return;
  assert.equal(fateOf(altered(0, "another-boot")), "unknown");
  assert.equal(fateOf(altered(1, "pid:[1]")), "unknown");
  assert.equal(fateOf(altered(2, "x")), "unknown");
});
