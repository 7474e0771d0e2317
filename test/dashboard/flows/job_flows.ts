import assert from "node:assert/strict";
import { visit } from "../../support/browser/dashboard_world.ts";
import type { Flow } from "./flow.ts";

/** Jobs, their form, and their schedules. */
export const JOB_FLOWS: readonly Flow[] = [
  {
    name: "the jobs have their schedules in words, and a filter",
    run: async ({ page }) => {
      await visit(page, "/jobs");
      await page.getByRole("row", { name: /report.*at 03:00 every day/ }).waitFor();
      await page.getByLabel("Name or description").fill("tidies");
      await page.getByRole("link", { name: "report" }).waitFor({ state: "detached" });
      await page.getByRole("main").getByRole("link", { name: "tidy" }).click();
      await page.getByRole("heading", { name: "tidy" }).waitFor();
      await page.getByRole("heading", { name: "Next runs" }).waitFor();
      const next = page.locator("section", { hasText: "Next runs" }).locator("li");
      assert.equal(await next.count(), 5);
      await page.getByRole("img", { name: "Runs and their durations over time" }).waitFor();
    },
  },
  {
    name: "a job shows how others start it, without the secret",
    run: async ({ page }) => {
      await visit(page, "/jobs/tidy");
      await page.getByText(/^POST http:.*\/hooks\/tidy$/).waitFor();
      await page.getByText('$.action = "closed" or "merged"').waitFor();
      // It passes nothing.
      assert.equal(await page.getByText("Hook passes").count(), 0);
      assert.ok(!(await page.content()).includes("the-secret-of-a-hook"));
    },
  },
  {
    name: "the form refuses a wrong argument while it is typed",
    run: async ({ page }) => {
      await visit(page, "/jobs/report");
      await page.getByRole("button", { name: "Run…" }).click();
      const dialog = page.getByRole("dialog", { name: "Run report" });
      await dialog.getByLabel(/^pages/).fill("ten");
      await dialog.getByText("Expected a number").waitFor();
      assert.equal(await dialog.getByLabel(/^pages/).getAttribute("aria-invalid"), "true");
      await dialog.getByRole("button", { name: "Run now" }).click();
      await dialog.getByText("Required").waitFor();
    },
  },
  {
    name: "the daemon checks the arguments while they are typed, and names the field",
    run: async ({ page, admin }) => {
      await visit(page, "/jobs/report?run=1");
      const dialog = page.getByRole("dialog", { name: "Run report" });
      await dialog.getByLabel(/^account/).fill("shop-1");
      await dialog.getByLabel(/^since/).fill("never");
      await page.locator("#about-since.bad-text").waitFor();
      await dialog.getByLabel(/^since/).fill("2026-11-01");
      await page.locator("#about-since.bad-text").waitFor({ state: "detached" });
      // Chromium writes each refusal of a request.
      admin.problems.splice(0);
    },
  },
  {
    name: "the form runs a job with choices, lists and switches, and leads to the instance",
    run: async ({ page }) => {
      await visit(page, "/jobs/report?run=1");
      const dialog = page.getByRole("dialog", { name: "Run report" });
      await dialog.getByLabel(/^account/).fill("shop-9");
      await dialog.getByLabel(/^pages/).fill("3");
      await dialog.getByLabel(/^format/).selectOption({ label: "csv" });
      await dialog.getByLabel(/^tags/).fill("a\nb c");
      await dialog.getByLabel(/^isDraft/).selectOption({ label: "true" });
      await dialog.getByRole("button", { name: "Run now" }).click();
      await page.waitForURL(/\/instances\//);
      await page.locator(".page-about").getByText("Completed").waitFor();
      await page.getByRole("region", { name: "tags" }).getByText("b c").waitFor();
      await page.getByRole("region", { name: "isDraft" }).getByText("true").waitFor();
    },
  },
  {
    name: "a job is paused with a reason, seen paused, and resumed by undo",
    run: async ({ page }) => {
      await visit(page, "/jobs/tidy");
      await page.getByRole("button", { name: "Pause…" }).click();
      const dialog = page.getByRole("dialog", { name: "Pause tidy" });
      await dialog.getByLabel("How long").selectOption({ label: "Until Monday, 9:00" });
      await dialog.getByLabel(/^Reason/).fill("new disk");
      await dialog.getByText(/jobctl pause tidy --until .* --reason 'new disk'/).waitFor();
      await dialog.getByRole("button", { name: "Pause" }).click();
      await page.locator(".banner", { hasText: "new disk" }).waitFor();
      await page.getByRole("button", { name: "Undo" }).click();
      await page.locator(".banner").waitFor({ state: "detached" });
    },
  },
  {
    name: "all jobs that match a filter are paused at once, and resumed by undo",
    run: async ({ page, daemon }) => {
      await visit(page, "/jobs");
      await page.getByRole("button", { name: "Pause everything…" }).waitFor();
      await page.getByLabel("Name or description").fill("s for");
      await page.getByRole("button", { name: "Pause 2 jobs…" }).click();
      const dialog = page.getByRole("dialog", { name: "Pause 2 jobs" });
      await dialog.getByText("jobctl pause fails").waitFor();
      await dialog.getByRole("button", { name: "Pause" }).click();
      await page.getByText("paused", { exact: true }).nth(1).waitFor();
      const { pauses } = await daemon.client().listPauses({});
      assert.deepEqual(pauses.map(({ kind }) => kind).sort(), ["fails", "waits"]);
      await page.getByRole("button", { name: "Undo" }).click();
      await page.getByText("paused", { exact: true }).first().waitFor({ state: "detached" });
    },
  },
  {
    name: "what is paused is on the first page, and is resumed on the page of the job",
    run: async ({ page, daemon }) => {
      await daemon.client().pause({ kind: "report", reason: "audit" });
      await visit(page, "/");
      await page.getByText("is paused: audit").waitFor();
      await visit(page, "/jobs/report");
      await page.getByRole("button", { name: "Resume" }).click();
      await page.getByRole("button", { name: "Pause…" }).waitFor();
    },
  },
  {
    name: "a backfill says how many ticks before it runs them",
    run: async ({ page }) => {
      await visit(page, "/jobs/tidy");
      await page.getByRole("button", { name: "Backfill…" }).click();
      const dialog = page.getByRole("dialog", { name: "Backfill tidy" });
      await dialog.getByLabel("From").fill("2026-01-05T10:00");
      await dialog.getByLabel("Before").fill("2026-01-05T10:15");
      await dialog.getByText(/3 ticks did not run/).waitFor();
      await dialog.getByRole("button", { name: "Run 3 ticks" }).click();
      await page.getByText("Backfilled 3 ticks").waitFor();
    },
  },
  {
    name: "ticks say what became of them and why",
    run: async ({ page }) => {
      await visit(page, "/schedules");
      const row = page.getByRole("row", { name: /tidy/ });
      await row.getByRole("button", { name: "Ticks" }).click();
      await page.getByRole("heading", { name: "Ticks of tidy" }).waitFor();
      await page.getByText("jobctl explain tidy").waitFor();
    },
  },
  {
    name: "the ticks of a day say what a clock change did to them",
    run: async ({ page }) => {
      await visit(page, "/jobs/report?day=2026-03-29");
      const ticks = page.getByRole("region", { name: "Ticks and what became of them" });
      await ticks.getByText("2026-03-29 03:00:00 +02:00").waitFor();
      await page.getByLabel("Ticks of the day").fill("2026-03-30");
      await ticks.getByText("2026-03-30 03:00:00 +02:00").waitFor();
      assert.match(page.url(), /day=2026-03-30/);
    },
  },
  {
    name: "the next tick is skipped, and that is undone",
    run: async ({ page }) => {
      await visit(page, "/schedules?text=report");
      const row = page.getByRole("row", { name: /report/ });
      const next = () => row.locator("time").first().getAttribute("datetime");
      const skipped = await next();
      await row.getByRole("button", { name: "Skip next" }).click();
      await row.getByText("skips", { exact: true }).waitFor();
      assert.ok((await next())! > skipped!, "it shows the run after the skipped one");
      await page.getByRole("button", { name: "Undo" }).click();
      await row.getByText("active").waitFor();
    },
  },
  {
    name: "a schedule runs now, and leads to its instance",
    run: async ({ page }) => {
      await visit(page, "/schedules?text=report");
      await page.getByRole("button", { name: "Run now" }).click();
      await page.getByRole("link", { name: "Show" }).click();
      await page.getByRole("region", { name: "account" }).getByText("nightly").waitFor();
    },
  },
];
