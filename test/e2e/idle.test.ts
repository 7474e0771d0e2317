import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { startDaemon } from "../support/processes/daemon.ts";
import { sleep } from "../support/wait.ts";

/** Memory of a daemon: its own, and with the pages of the executable that it uses. */
const OWN_KIB_MAX = 20 * 1_024;
const RSS_KIB_MAX = 70 * 1_024;

test("a daemon at rest takes under 20 MB of its own, 70 MB in all, and 0.2 % of a processor", async () => {
  const daemon = await startDaemon({ toml: `[jobs.disk]\nrun = "df"\nschedule = "0 0 1 1 *"\n` });
  try {
    const ticks = () => {
      const fields = readFileSync(`/proc/${daemon.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
      return Number(fields[11]) + Number(fields[12]);
    };
    // A tick is 10 ms: 0.2 % of five seconds is one. The start's own work ends some seconds after
    // it.
    let spent = Infinity;
    for (let window = 0; window < 8 && spent > 1; window++) {
      const before = ticks();
      await sleep(5_000);
      spent = ticks() - before;
    }
    assert.ok(spent <= 1, `${spent} ticks in the last 5 s`);
    const status = readFileSync(`/proc/${daemon.pid}/status`, "utf8");
    const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]);
    // Pages of the executable are shared by all its processes; the kernel maps more or fewer around
    // those that are used.
    assert.ok(kib("RssAnon") < OWN_KIB_MAX, `${kib("RssAnon")} KiB of its own`);
    assert.ok(kib("VmRSS") < RSS_KIB_MAX, `${kib("VmRSS")} KiB`);
  } finally {
    await daemon.stop();
  }
});
