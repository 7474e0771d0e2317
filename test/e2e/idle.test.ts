import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { sleep } from "../support/wait.ts";

/** Memory of a daemon: its own, and with the pages of the executable that it uses. */
const OWN_KIB_MAX = 20 * 1_024;
const RSS_KIB_MAX = 56 * 1_024;
const JOBS = 5_000;
/** Its own with so many jobs: they are copied once, and nothing keeps their tables. */
const JOBS_KIB_MAX = 38 * 1_024;

function kibOf({ pid }: Daemon, name: "RssAnon" | "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]);
}

test("a daemon at rest takes under 20 MB of its own, 56 MB in all, and 0.2 % of a processor", async () => {
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
    const [own, rss] = [kibOf(daemon, "RssAnon"), kibOf(daemon, "VmRSS")];
    // Pages of the executable are shared by all its processes; the kernel maps more or fewer around
    // those that are used.
    assert.ok(own < OWN_KIB_MAX, `${own} KiB of its own`);
    assert.ok(rss < RSS_KIB_MAX, `${rss} KiB`);
  } finally {
    await daemon.stop();
  }
});

test("a daemon with 5,000 jobs takes under 38 MB of its own once it rests", async () => {
  const jobs = Array.from({ length: JOBS }, (_, index) => {
    return `[jobs.job-${index}]\ncommand = ["true"]\nschedule = "${index % 60} 3 29 2 *"\n`;
  });
  const daemon = await startDaemon({ toml: jobs.join("") });
  try {
    // It returns the memory of its start some seconds after that.
    let own = Infinity;
    for (let window = 0; window < 8 && own >= JOBS_KIB_MAX; window++) {
      await sleep(2_500);
      own = kibOf(daemon, "RssAnon");
    }
    assert.ok(own < JOBS_KIB_MAX, `${own} KiB of its own`);
  } finally {
    await daemon.stop();
  }
});
