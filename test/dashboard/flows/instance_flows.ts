import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { type DashboardWorld, visit } from "../../support/browser/dashboard_world.ts";
import { until } from "../../support/wait.ts";
import type { Flow } from "./flow.ts";

const rows = ({ page }: DashboardWorld) => page.locator("main tbody tr");

/** Numbers of the lines that are drawn of a log. */
async function drawnLines({ page }: DashboardWorld): Promise<number[]> {
  const texts = await page.locator(".log-number").allTextContents();
  return texts.map(Number);
}

/** Instances in steps, and the answers that they wait for. */
export const STEP_FLOWS: readonly Flow[] = [
  {
    name: "a parked instance shows its steps and its wait, and takes answers",
    run: async (world) => {
      const { page } = world;
      const { instance } = await world.daemon.client().scheduleJob({
        kind: "order",
        arguments: ["<b>17</b>"],
      });
      await visit(page, `/instances/${instance!.uuid}`);
      await page.getByText(/Parked: waits for signal "approved"/).waitFor();
      const steps = page.getByRole("region", { name: "Steps" });
      await steps.getByRole("cell", { name: "charge" }).waitFor();
      await steps.getByText("<b>17</b>").waitFor();
      await page.getByRole("button", { name: "Approve approved" }).click();
      await page.getByText(/Parked: waits for signal "note"/).waitFor();
      await page.getByRole("button", { name: "Other answer…" }).click();
      await page.getByLabel("Value, as JSON").fill("no JSON");
      assert.ok(await page.getByRole("button", { name: "Send it" }).isDisabled());
      await page.getByLabel("Value, as JSON").fill('"!"');
      await page.getByRole("button", { name: "Send it" }).click();
      await page.getByText("true!").first().waitFor();
      await steps.getByRole("cell", { name: "note" }).first().waitFor();
    },
  },
];

/** The section Flow of the page on screen. */
function flowOf({ page }: DashboardWorld) {
  const section = page.locator("section", {
    has: page.getByRole("heading", { name: "Flow", exact: true }),
  });
  return { section, lines: section.locator("tbody tr"), bars: section.locator(".flow-bar .pale") };
}

/** The whole of a flow, on the page of any of its instances. */
export const TREE_FLOWS: readonly Flow[] = [
  {
    name: "a flow is a live tree with bars over time, and links to its instances",
    run: async (world) => {
      const { page } = world;
      const id = await world.run("fan", "wait");
      await visit(page, `/instances/${id}`);
      const { section, lines, bars } = flowOf(world);
      await section.getByText("13 instances: 2 parked, 10 completed, 1 failed").waitFor();
      assert.equal(await lines.count(), 12);
      assert.match(await lines.nth(0).innerText(), /fan.*Parked/s);
      assert.match(await lines.nth(1).innerText(), /part.*Failed/s);
      assert.match(await lines.nth(2).innerText(), /part.*Parked/s);
      assert.match(await lines.nth(11).innerText(), /part × 2.*2 completed/s);
      const ends = async () => {
        const boxes = [0, 1, 2].map((line) => bars.nth(line).boundingBox());
        return (await Promise.all(boxes)).map((box) => Math.round(box!.x + box!.width));
      };
      await until("the bars of those that are open have grown", async () => {
        const [root, failed, parked] = await ends();
        return failed! < root! && parked === root;
      });
      assert.equal(await lines.nth(0).locator("[aria-current=page]").count(), 1);
      await lines.nth(1).getByRole("link").click();
      await page.locator(".page-about").getByText("Failed").waitFor();
      await lines.nth(1).locator("[aria-current=page]").waitFor();
      const waiting = await lines.nth(2).getByRole("link").getAttribute("href");
      await page.setViewportSize({ width: 360, height: 740 });
      const narrow = (await bars.nth(0).boundingBox())!;
      await page.setViewportSize({ width: 1_280, height: 800 });
      assert.ok(narrow.width > 40 && narrow.x + narrow.width <= 360, JSON.stringify(narrow));
      await world.daemon.client().signalInstance({ uuid: waiting!.split("/").at(-1)!, name: "go" });
      await section.getByText("13 instances: 12 completed, 1 failed").waitFor();
      await section.getByRole("button").waitFor({ state: "detached" });
      await lines.nth(0).getByRole("link").click();
      await page.locator(".page-about").getByText("Completed").waitFor();
    },
  },
  {
    name: "a flow is canceled, after a question that says how many",
    run: async (world) => {
      const { page } = world;
      const id = await world.run("fan", "wait");
      await visit(page, `/instances/${id}`);
      const { section } = flowOf(world);
      await section.getByText("13 instances: 2 parked, 10 completed, 1 failed").waitFor();
      await section.getByRole("button", { name: "Cancel the flow…" }).click();
      const dialog = page.getByRole("dialog", { name: "Cancel 2 instances?" });
      await dialog.getByText(`jobctl cancel instances --flow ${id}`).waitFor();
      await dialog.getByRole("button", { name: "Cancel 2 instances" }).click();
      await section.getByText("13 instances: 2 canceled, 10 completed, 1 failed").waitFor();
    },
  },
];

/** Lists of instances, and what is done to several. */
export const LIST_FLOWS: readonly Flow[] = [
  {
    name: "the list follows its filters, which are in the URL",
    run: async (world) => {
      const { page } = world;
      await Promise.all([world.runToEnd("sum", "1", "2"), world.runToEnd("fails", "disk")]);
      await visit(page, "/instances");
      await page.getByRole("button", { name: "Failed", exact: true }).click();
      await page.getByRole("cell", { name: /broken: disk/ }).first().waitFor();
      assert.match(page.url(), /state=terminated/);
      await page.getByRole("button", { name: "Failed", exact: true }).click();
      await page.getByRole("searchbox", { name: "Job" }).or(page.getByLabel("Job")).first()
        .fill("sum");
      await page.waitForURL(/kind=sum/);
      await page.locator("main tbody a.kind", { hasText: /^fails$/ }).first()
        .waitFor({ state: "detached" });
      await rows(world).first().waitFor();
      await page.getByText("jobctl list instances --kind sum").waitFor();
    },
  },
  {
    name: "a text is found in arguments and errors",
    run: async (world) => {
      const { page } = world;
      await Promise.all([world.runToEnd("report", "needle-7"), world.runToEnd("report", "hay")]);
      await visit(page, "/instances?text=needle-7");
      await page.getByRole("cell", { name: /needle-7/ }).waitFor();
      assert.equal(await rows(world).count(), 1);
    },
  },
  {
    name: "a tag that a job needs leads to the instances of all jobs that do",
    run: async (world) => {
      const { page } = world;
      await Promise.all([world.runToEnd("tidy"), world.runToEnd("sum", "1", "2")]);
      await visit(page, "/jobs/tidy");
      await page.getByRole("link", { name: "lan", exact: true }).click();
      await page.waitForURL(/tag=lan/);
      await page.locator("main tbody a.kind", { hasText: /^tidy$/ }).first().waitFor();
      assert.equal(await page.locator("main tbody a.kind", { hasText: /^sum$/ }).count(), 0);
      await page.getByText("jobctl list instances --tag lan").waitFor();
      await page.getByLabel("Tag that the job needs").selectOption("Any tag");
      await page.locator("main tbody a.kind", { hasText: /^sum$/ }).first().waitFor();
    },
  },
  {
    name: "a list without a match says so, and leads out of the filter",
    run: async ({ page }) => {
      await visit(page, "/instances?kind=none-of-these");
      await page.getByText("Nothing matches").waitFor();
      await page.getByRole("link", { name: "Remove the filter" }).click();
      await page.locator("main tbody tr").first().waitFor();
    },
  },
  {
    name: "selected instances are canceled together",
    run: async (world) => {
      const { page } = world;
      for (let index = 0; index < 4; index++) await world.run("waits", `n${index}`);
      await visit(page, "/instances?kind=waits&state=scheduled");
      await page.getByRole("checkbox", { name: /^Select 0/ }).nth(1).waitFor();
      await page.getByRole("checkbox", { name: /^Select 0/ }).nth(0).check();
      await page.getByRole("checkbox", { name: /^Select 0/ }).nth(1).check();
      await page.getByRole("button", { name: "Cancel 2 selected…" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Cancel 2 instances" }).click();
      await page.getByText("Canceled 2 instances").waitFor();
    },
  },
  {
    name: "all that match are canceled, after a question that says how many",
    run: async (world) => {
      const { page } = world;
      await world.daemon.client().cancelInstances({ query: { kind: "waits" } });
      for (const name of ["a", "b"]) await world.run("waits", name);
      await visit(page, "/instances?kind=waits");
      await page.getByRole("button", { name: "Cancel all that match…" }).click();
      const dialog = page.getByRole("dialog", { name: "Cancel 2 instances?" });
      await dialog.getByText(/jobctl cancel instances --kind waits/).waitFor();
      await dialog.getByRole("button", { name: "Back" }).click();
      await page.getByRole("button", { name: "Cancel all that match…" }).click();
      await dialog.getByRole("button", { name: "Cancel 2 instances" }).click();
      await page.getByText("Canceled 2 instances").first().waitFor();
      // The list shows it by itself.
      await page.locator("main tbody").getByText("Canceled").nth(1).waitFor();
    },
  },
  {
    name: "dead letters of one job run again, and those of another stay",
    run: async (world) => {
      const { page } = world;
      const other = await world.runToEnd("broken");
      await world.runToEnd("fails", "only");
      await visit(page, "/dead-letters");
      await page.getByRole("navigation", { name: "Jobs that failed" })
        .getByRole("link", { name: "fails" }).click();
      await page.getByTitle(other).waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Run all that match again…" }).click();
      await page.getByRole("dialog").getByRole("button", { name: /^Run \d+ instances? again/ })
        .click();
      await page.getByText(/^Run again: /).first().waitFor();
      await visit(page, "/dead-letters?kind=broken");
      await page.getByTitle(other).waitFor();
    },
  },
  {
    name: "dead letters run again, each once",
    run: async (world) => {
      const { page } = world;
      await Promise.all([world.runToEnd("fails", "a"), world.runToEnd("fails", "b")]);
      // The number would change if earlier ones failed again meanwhile.
      const query = { kinds: ["fails"], states: [JobState.SCHEDULED, JobState.PROCESSING] };
      await until(
        "earlier ones have ended",
        async () => (await world.daemon.client().countInstances({ query })).count === 0n,
      );
      await visit(page, "/dead-letters?kind=fails");
      await rows(world).nth(1).waitFor();
      await page.getByRole("button", { name: "Run all that match again…" }).click();
      const run = page.getByRole("dialog").getByRole("button", {
        name: /^Run \d+ instances again/,
      });
      const [count] = /\d+/.exec(await run.innerText())!;
      await run.click();
      await page.getByText(`Run again: ${count} instances`).waitFor();
    },
  },
];

/** One instance: what it shows, and what is done to it. */
export const INSTANCE_FLOWS: readonly Flow[] = [
  {
    name: "the memory and the processes of a running command are shown, and stay current",
    run: async (world) => {
      const { page } = world;
      const id = await world.run("naps");
      await visit(page, "/");
      await page.getByRole("row", { name: /naps .* MiB/ }).waitFor();
      await visit(page, `/instances/${id}`);
      await page.getByText(/^\d+\.\d MiB, \d+\.\d MiB at most$/).waitFor();
      await page.getByText(/^3, with \d+ open files$/).waitFor();
      await world.daemon.client().cancelInstances({ query: { uuid: id } });
      await page.getByText(/^\d+\.\d MiB at most$/).waitFor();
      await page.getByText(/open files$/).waitFor({ state: "detached" });
    },
  },
  {
    name: "an instance shows its arguments by name, its result and its history",
    run: async (world) => {
      const { page } = world;
      const id = await world.runToEnd("sum", "40", "2");
      // The first characters lead to it.
      await visit(page, `/instances/${id.slice(0, 23)}`);
      await page.waitForURL(new RegExp(id));
      await page.getByRole("region", { name: "a", exact: true }).getByText("40").waitFor();
      await page.getByRole("region", { name: "results 1" }).getByText("42").waitFor();
      await page.getByRole("heading", { name: "Attempts" }).waitFor();
      await page.getByText(`jobctl describe instance ${id}`).waitFor();
    },
  },
  {
    name: "a failed instance shows the error with the stack of the job",
    run: async (world) => {
      const { page } = world;
      const id = await world.runToEnd("fails", "pump");
      await visit(page, `/instances/${id}`);
      await page.getByRole("region", { name: "Stack of the error" }).getByText(/fails\.ts/)
        .waitFor();
      await page.getByText("RangeError:").first().waitFor();
    },
  },
  {
    name: "colors of a log are shown, and its markup stays text",
    run: async (world) => {
      const { page } = world;
      const id = await world.runToEnd("report", "<b>x</b>");
      await visit(page, `/instances/${id}`);
      await page.locator(".log .fg-2", { hasText: "green" }).waitFor();
      await page.getByText("<img src=x onerror=alert(1)> of <b>x</b>").waitFor();
      assert.equal(await page.locator(".log img").count(), 0);
    },
  },
  {
    name: "a log is searched, wrapped, filtered by level and downloaded",
    run: async (world) => {
      const { page } = world;
      const id = await world.runToEnd("steps", "500");
      await visit(page, `/instances/${id}`);
      const search = page.getByLabel("Search the log");
      await search.fill("step 49");
      await page.getByText("1 of 11").waitFor().catch(async (cause) => {
        throw new Error(await page.locator("main").innerText(), { cause });
      });
      await page.locator(".log-current", { hasText: "step 49 of" }).waitFor();
      await search.press("Enter");
      await page.locator(".log-current", { hasText: "step 490 of" }).waitFor();
      await page.getByLabel("Wrap").check();
      await page.locator(".log-wrap").waitFor();
      await page.getByLabel("Wrap").uncheck();
      await page.getByLabel("Level").selectOption("error");
      await page.getByText("0 of 0").waitFor();
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Download" }).click(),
      ]);
      const text = readFileSync(await download.path(), "utf8");
      assert.equal(text.match(/step \d+ of 500/g)?.length, 500);
    },
  },
  {
    name: "a link to a line shows that line",
    run: async (world) => {
      const { page } = world;
      const id = await world.runToEnd("steps", "400");
      await page.goto(`/instances/${id}#L321`);
      await page.locator(".log-target", { hasText: "step 321 of" }).waitFor();
      assert.ok((await drawnLines(world)).length < 150);
    },
  },
  {
    name: "a running instance is canceled, after a question",
    run: async (world) => {
      const { page } = world;
      const id = await world.run("waits", "cancel-me");
      await visit(page, `/instances/${id}`);
      await page.getByRole("button", { name: "Cancel…" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Cancel it" }).click();
      await page.locator(".page-about").getByText("Canceled").waitFor();
    },
  },
  {
    name: "an instance runs again, and that can be undone",
    run: async (world) => {
      const { page } = world;
      const id = await world.run("waits", "first");
      await world.daemon.client().cancelInstances({ query: { uuid: id } });
      await world.daemon.client().waitInstance({ uuid: id, waitMs: 30_000n });
      await visit(page, `/instances/${id}`);
      await page.getByRole("button", { name: "Run again" }).click();
      await page.getByText(/^Runs again as/).waitFor();
      await page.getByText("Run again from").waitFor();
      await page.getByRole("button", { name: "Undo" }).click();
      await page.locator(".page-about").getByText("Canceled").waitFor();
    },
  },
  {
    name: "an instance runs again with changed arguments",
    run: async (world) => {
      const { page } = world;
      const id = await world.runToEnd("sum", "5", "6");
      await visit(page, `/instances/${id}`);
      await page.getByRole("button", { name: "Run with changes…" }).click();
      const dialog = page.getByRole("dialog");
      assert.equal(await dialog.getByLabel(/^b/).inputValue(), "6");
      await dialog.getByLabel(/^b/).fill("37");
      await dialog.getByText("jobctl schedule sum --a 5 --b 37").waitFor();
      await dialog.getByRole("button", { name: "Run now" }).click();
      await page.getByRole("region", { name: "results 1" }).getByText("42").waitFor();
    },
  },
  {
    name: "an unknown instance says how it may be missing",
    run: async ({ page, admin }) => {
      await visit(page, "/instances/01938f2c-7d3e");
      await page.getByRole("alert").waitFor();
      admin.problems.splice(0);
    },
  },
];

/** What survives a restart of the daemon. */
export const RESTART_FLOWS: readonly Flow[] = [
  {
    name: "a live log continues over a restart of the daemon, no line lost or doubled",
    run: async (world) => {
      const { page, admin } = world;
      const file = join(world.daemon.dir, "stop");
      const id = await world.run("steps", "30", file);
      await page.goto(`/instances/${id}`);
      await page.getByText("more 5", { exact: true }).waitFor();
      await world.daemon.kill();
      await page.getByText("Reconnecting").waitFor();
      world.daemon = await world.daemon.restart();
      await page.getByText("Live", { exact: true }).waitFor();
      // Its heading is soon beyond the part of the log that is drawn.
      await until("the job runs again", async () => {
        const { instance } = await world.daemon.client().getInstance({ uuid: id });
        return instance?.attempts === 2;
      });
      writeFileSync(file, "");
      await page.locator(".page-about").getByText("Completed").waitFor();
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Download" }).click(),
      ]);
      const shown = readFileSync(await download.path(), "utf8").split("\n")
        .filter((line) => line !== "" && !line.startsWith("--"));
      const { entries } = await world.daemon.client().lookupInstanceLogs({ query: { uuid: id } });
      assert.deepEqual(
        shown.map((line) => line.split(" ").slice(2).join(" ")),
        entries.map(({ message }) => message),
      );
      // The lost connections.
      admin.problems.splice(0);
    },
  },
];
