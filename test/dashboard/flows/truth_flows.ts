import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { closeWindow } from "../../support/browser/browser.ts";
import { logIn, TOKENS, visit } from "../../support/browser/dashboard_world.ts";
import type { Flow } from "./flow.ts";

/** Jobs beside those of the world, so that a list does not have all. */
const MANY = 1_100;

/** What the daemon has beside the usual jobs, for these flows and those of selections. */
export const TRUTH_TOML = `
[jobs.later]
params = "name: string"
run = "true"

[jobs.later-on]
params = "name: string"
run = "sleep 600"
concurrency = 1

[jobs.unheard]
run = "exit 1"

[notices.unheard]
to = "exec"
command = ["false"]
jobs = ["unheard"]

[jobs.gpu]
params = "name: string"
run = "true"
needs = "gpu-of-nobody"

${
  Array.from(
    { length: MANY },
    (_, index) => `[jobs.many-${String(index).padStart(4, "0")}]\nrun = "true"\n`,
  ).join("\n")
}`;

const MINUTE_MS = 60_000;

/** The times of a column of a list, from the top. */
async function timesOf(page: Page, title: string): Promise<readonly number[]> {
  const titles = await page.locator("main thead th").allTextContents();
  const place = titles.indexOf(title) + 1;
  const cells = page.locator(`main tbody td:nth-child(${place}) time`);
  const texts = await cells.evaluateAll((all) => all.map((one) => one.getAttribute("datetime")!));
  return texts.map((text) => Date.parse(text));
}

/** Spans of ten minutes until now, as the API bounds them. */
function boundsOf(nowMs: number, count: number): readonly string[] {
  return Array.from(
    { length: count + 1 },
    (_, place) => new Date(nowMs + (place - count) * 10 * MINUTE_MS).toISOString(),
  );
}

interface CellPart {
  readonly look: string;
  readonly height: number;
}

/** Parts of the cells of a chart, cell by cell, from the base line up. */
async function cellsOf(page: Page): Promise<readonly (readonly CellPart[])[]> {
  return await page.locator(".timeline svg g.heat").evaluateAll((cells) =>
    cells.map((cell) =>
      [...cell.querySelectorAll("rect:not(.hit)")].map((part) => ({
        look: part.getAttribute("class")!,
        height: Number(part.getAttribute("height")),
      }))
    )
  );
}

/** What a page says has to be true, also where it shows a part only. */
export const TRUTH_FLOWS: readonly Flow[] = [
  {
    name: "with more jobs than the list shows, the head says so and the filter finds all",
    run: async ({ page, daemon }) => {
      await visit(page, "/jobs");
      await page.locator(".page-about").getByText(/^1.000 of 1.1\d\d jobs$/).waitFor();
      await page.getByText(/^1\d\d more are not shown/).waitFor();
      const filter = page.getByLabel("Name or description");
      // Jobs are in the order of their names: this one comes behind the first thousand.
      await filter.fill("TIDIES");
      await page.getByRole("main").getByRole("link", { name: "tidy", exact: true }).waitFor();
      await page.locator(".page-about").getByText(/^1 of 1.1\d\d jobs$/).waitFor();
      await page.getByRole("button", { name: "Pause 1 job…" }).waitFor();
      await page.getByText("No command for this filter").waitFor();
      await filter.fill("many-109");
      await page.getByRole("button", { name: "Pause 10 jobs…" }).click();
      const dialog = page.getByRole("dialog", { name: "Pause 10 jobs" });
      await dialog.locator("code").nth(9).waitFor();
      await dialog.getByRole("button", { name: "Pause" }).click();
      await page.getByText(/^Paused many-1090, /).waitFor();
      assert.equal((await daemon.client().listPauses({})).pauses.length, 10);
      await page.getByRole("button", { name: "Undo" }).click();
      await page.getByText(/^Resumed many-1090, /).waitFor();
      await filter.fill("of-no-job");
      await page.getByText("No name or description has “of-no-job”").waitFor();
      await page.getByText(/^1.1\d\d jobs were searched\.$/).waitFor();
      await filter.fill("many-");
      await page.getByRole("button", { name: /^Pause the shown 1.000 jobs…$/ }).waitFor();
    },
  },
  {
    name: "a list of instances is in the order of a column that it shows",
    run: async (world) => {
      const { page, daemon } = world;
      const client = daemon.client();
      // Accepted in this order, and due in another.
      for (const afterMs of [3_600_000n, 60_000n, 7_200_000n]) {
        await client.scheduleJob({ kind: "later", arguments: ["o"], afterMs });
        await page.waitForTimeout(5);
      }
      await world.runToEnd("sum", "1", "2");
      await visit(page, "/instances");
      await page.locator("main tbody tr").nth(3).waitFor();
      const created = await timesOf(page, "Created");
      assert.ok(created.length > 3);
      assert.deepEqual(created, [...created].sort((a, b) => b - a));
      await page.getByRole("cell", { name: /^due in/ }).first().waitFor();
      await client.cancelInstances({ query: { kind: "later" } });
    },
  },
  {
    name: "what waits for a node names the tag that no node has",
    run: async (world) => {
      const { page } = world;
      const id = await world.run("gpu", "a");
      const text = /needs a node with tag "gpu-of-nobody": none of 1 live node has it/;
      await visit(page, "/instances?kind=gpu");
      await page.getByRole("cell", { name: text }).first().waitFor();
      await visit(page, `/instances/${id}`);
      await page.getByText(text).first().waitFor();
      await visit(page, "/");
      await page.locator("section", { hasText: "What holds instances back" }).getByText(text)
        .waitFor();
      await world.daemon.client().cancelInstances({ query: { kind: "gpu" } });
    },
  },
  {
    name: "the two success rates of a job say of which runs they are",
    run: async (world) => {
      const { page } = world;
      await world.runToEnd("sum", "1", "2");
      await visit(page, "/jobs/sum");
      await page.getByText("Succeeded, of all kept").waitFor();
      await page.getByText("Succeeded in 7 days").waitFor();
      await page.getByRole("button", { name: "Month" }).click();
      await page.getByText("Succeeded in 30 days").waitFor();
      assert.equal(await page.getByText("Succeeded", { exact: true }).count(), 0);
    },
  },
  {
    name: "a search in a log that still loads says that it is not the whole number",
    run: async (world) => {
      const { page, admin } = world;
      const id = await world.runToEnd("steps", "60");
      // The first part of the log, and then nothing: as if the rest were on its way.
      const url = `**/instances/${id}/follow*`;
      const { entries } = await world.daemon.client().lookupInstanceLogs({ query: { uuid: id } });
      const some = entries.slice(0, 34).map(({ seq, message, level, attempt, source }) => ({
        ...{ seq: Number(seq), message, level, attempt, source, at: new Date().toISOString() },
      }));
      const data = JSON.stringify({ entries: some, cursor: "", changed: [] });
      let isFirst = true;
      await page.route(url, async (route) => {
        if (!isFirst) return;
        isFirst = false;
        await route.fulfill({ contentType: "text/event-stream", body: `data: ${data}\n\n` });
      });
      await visit(page, `/instances/${id}`);
      await page.getByLabel("Search the log").fill("step");
      await page.getByText("1 of 34 so far").waitFor();
      await page.getByText("34 lines so far").waitFor();
      await page.getByRole("progressbar", { name: "Reading the log" }).waitFor();
      await page.unroute(url);
      await visit(page, `/instances/${id}`);
      await page.getByLabel("Search the log").fill("step");
      await page.getByText("1 of 60", { exact: true }).waitFor();
      assert.equal(await page.getByText("so far").count(), 0);
      // The stream that was cut.
      admin.problems.splice(0);
    },
  },
  {
    name: "a refused configuration is shown to an admin with file, line and character",
    run: async (world) => {
      const { page, daemon } = world;
      const file = join(daemon.dir, "config.toml");
      const whole = readFileSync(file, "utf8");
      writeFileSync(file, `${whole}\n[jobs.broken-line]\nrun = "a\\0b"\n`);
      assert.notEqual((await daemon.jobctl(["reload"])).code, 0);
      const line = whole.split("\n").length + 2;
      const place = new RegExp(`config\\.toml:${line}:\\d+: not TOML: unknown escape "\\\\0"`);
      await visit(page, "/");
      const problems = page.getByRole("list", { name: "Problems of the daemon" });
      await problems.getByText(place).waitFor();
      assert.doesNotMatch((await problems.textContent())!, /was refused: it was refused/);
      await visit(page, "/config");
      await page.getByRole("list", { name: "Problems of the last reload" }).getByText(place)
        .waitFor();
      // What is in the file is not for everybody.
      const window = await world.window();
      await window.page.goto("/");
      await logIn(window.page, TOKENS.viewer);
      await window.page.getByText(/^The last reload had problems: it was refused/).waitFor();
      assert.equal(await window.page.getByText(place).count(), 0);
      await closeWindow(window);
      writeFileSync(file, whole);
      assert.equal((await daemon.jobctl(["reload"])).code, 0);
    },
  },
  {
    name: "the timeline colors the share of failures, and not what has not ended as completed",
    run: async ({ page }) => {
      const nowMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
      const past = {
        ...{ runs: [], gaps: [], total: 1_800, is_estimate: false, bounds: boundsOf(nowMs, 5) },
        counts: [{
          ...{ kind: "sum", canceled: [0, 0, 0, 0, 4], timed_out: [0, 0, 0, 0, 0] },
          // One failure among many, many failures among few, nothing that ended, none that failed.
          ...{ completed: [999, 20, 0, 800, 0], terminated: [1, 80, 0, 0, 0] },
          unfinished: [0, 0, 40, 0, 0],
        }],
      };
      await page.route("**/api/v1/timeline*", (route) => route.fulfill({ json: past }));
      await visit(page, "/timeline?kind=sum");
      await page.locator(".timeline svg g.heat").nth(4).waitFor();
      const cells = await cellsOf(page);
      await page.unroute("**/api/v1/timeline*");
      assert.deepEqual(cells.map((parts) => parts.map(({ look }) => look)), [
        ["heat-bad heat-1", "heat-good"],
        ["heat-bad heat-4", "heat-good"],
        ["heat-open"],
        ["heat-good"],
        ["heat-off"],
      ]);
      const heights = cells.map((parts) => parts.reduce((sum, { height }) => sum + height, 0));
      assert.ok(heights[0]! > heights[3]! && heights[3]! > heights[1]!, heights.join());
      assert.equal(heights[2], 3);
      const [[one], [most]] = cells as [readonly [CellPart], readonly [CellPart]];
      assert.ok(one.height <= 2 && most.height > heights[1]! / 2);
    },
  },
  {
    name: "a future that was not computed is asked for again, and else shown as such",
    run: async ({ page }) => {
      const empty = { entries: [], densities: [], bounds: [], waiting: 0, is_estimate: false };
      const part = { ...empty, left_out: 1, left_out_kinds: ["sum"] };
      const whole = { ...empty, left_out: 0, left_out_kinds: [] };
      // The page refreshes its data now and then, so the answer stays the same until the next part.
      const answers: object[] = [];
      let usual = part;
      let count = 0;
      await page.route("**/api/v1/forecast*", async (route) => {
        count += 1;
        await route.fulfill({ json: answers.shift() ?? usual });
      });
      await visit(page, "/timeline");
      const note = page.getByText(/^The future runs of 1 schedule were not computed/);
      await note.waitFor();
      const hatched = page.locator('.timeline rect[fill="url(#hatch)"]');
      await hatched.waitFor();
      assert.ok(count >= 2, `asked ${count} times`);
      const [above, below] = [(await note.boundingBox())!, (await hatched.boundingBox())!];
      assert.ok(above.y < below.y);
      assert.ok(below.width > 100);
      [count, usual] = [0, whole];
      answers.push(part);
      await visit(page, "/timeline?kind=sum");
      await page.getByText("Nothing runs in this span of time").or(page.locator(".timeline"))
        .first().waitFor();
      assert.ok(count >= 2, `asked ${count} times`);
      assert.deepEqual([await note.count(), await hatched.count()], [0, 0]);
      await page.unroute("**/api/v1/forecast*");
    },
  },
];
