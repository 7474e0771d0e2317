import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { longestTasks } from "../../support/browser/long_tasks.ts";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { until } from "../../support/wait.ts";
import type { Flow } from "./flow.ts";

/** Lines that the job `long` writes: `npm run slow -- log` reads 300,000. */
const LINES = Number(process.env["JOBCTL_LOG_LINES"] ?? 40_000);
/** Longest time to write or read all of them on a busy machine, in milliseconds. */
const LOG_MS_MAX = 240_000;
/**
 * Longest task of a page, in milliseconds: a reader does not notice 100 of them. Work that grows
 * with the log shows in a shorter one, too.
 */
const TASK_MS_MAX = Math.min(100, LINES / 1_000);
/** Longest time of the daemon for a page of a log, in milliseconds. */
const PAGE_MS_MAX = 50;

/** Processor time of a process so far, in milliseconds, to the hundredth of a second. */
function processorMs(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")
    .slice(11, 13);
  return (Number(user) + Number(system)) * 10;
}

/** A log of many lines, which a job has written. */
export const LONG_LOG_FLOWS: readonly Flow[] = [
  {
    name: `a log of ${LINES} lines is linked, scrolled and searched without a hitch`,
    run: async (world) => {
      const { page, daemon } = world;
      const id = await world.run("long", String(LINES));
      await until("the log is written", async () => {
        const { instance } = await daemon.client().getInstance({ uuid: id });
        return instance?.state === JobState.COMPLETED;
      }, LOG_MS_MAX);
      const far = LINES - 10_000;

      // A page from a line near the end is not read from the first line.
      const spent: number[] = [];
      for (let tries = 0; tries < 5; tries++) {
        const before = processorMs(daemon.pid);
        const query = { query: { uuid: id, pageSize: 100 }, fromLine: BigInt(far) };
        const { entries } = await daemon.client().lookupInstanceLogs(query);
        assert.equal(entries[0]?.message, `line ${far} of a long log`);
        spent.push(processorMs(daemon.pid) - before);
      }
      assert.ok(Math.min(...spent) <= PAGE_MS_MAX, `${spent.join()} ms`);

      // Also while the lines before it are on their way.
      const tasks = await longestTasks(page, async () => {
        await page.goto(`/instances/${id}#L${far}`);
        const target = page.locator(".log-target", { hasText: `line ${far} of` });
        await target.waitFor();
        assert.equal(await page.getByText(/^Reading the lines before these/).count(), 1);
        const whole = new RegExp(`^${LINES / 1_000}.000 lines$`);
        await page.getByText(whole).waitFor({ timeout: LOG_MS_MAX });
        assert.ok(await target.isVisible());
        // Only a part is drawn.
        assert.ok(await page.locator(".log-number").count() < 150);
        const log = page.getByRole("region", { name: "Log" });
        for (const part of [0, 0.5, 1, 0.25]) {
          await log.evaluate((frame, part) => frame.scrollTop = frame.scrollHeight * part, part);
          const line = part === 0 ? 1 : part === 1 ? LINES : LINES * part;
          await page.getByText(`line ${line} of a long log`, { exact: true }).waitFor();
        }
        await page.getByLabel("Search the log").fill("9999 of");
        await page.getByText(`1 of ${LINES / 10_000}`, { exact: true }).waitFor();
        await page.getByLabel("Search the log").press("Shift+Enter");
        await page.locator(".log-current", { hasText: `line ${LINES - 1} of` }).waitFor();
        await page.getByLabel("Wrap").check();
        await page.locator(".log-wrap").waitFor();
        await page.getByLabel("Wrap").uncheck();
        await page.getByLabel("Search the log").fill("");
      });
      assert.ok(tasks.length > 0 && tasks[0]! < TASK_MS_MAX, `tasks of ${tasks.join(", ")} ms`);
    },
  },
];
