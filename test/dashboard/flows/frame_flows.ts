import assert from "node:assert/strict";
import { NAVIGATION } from "../../../src/dashboard/app/navigation_items.ts";
import { closeWindow } from "../../support/browser/browser.ts";
import { logIn, TOKENS, visit } from "../../support/browser/dashboard_world.ts";
import { until } from "../../support/wait.ts";
import type { Flow } from "./flow.ts";

/** Paths of all pages of the navigation, of a job, and of no page. */
export const PATHS = [...NAVIGATION.flat().map(({ path }) => path), "/jobs/report", "/none"];

/** What surrounds the pages: keyboard, themes, clocks, phones, and the pages about the daemon. */
export const FRAME_FLOWS: readonly Flow[] = [
  {
    name: "the first page shows by itself what runs and what fails",
    run: async (world) => {
      const { page } = world;
      await visit(page, "/");
      await page.getByText("Live", { exact: true }).waitFor();
      const id = await world.run("waits", "seen");
      await page.getByRole("region", { name: "Running instances" }).getByTitle(id).waitFor();
      await world.daemon.client().cancelInstances({ query: { uuid: id } });
      // A job has one line, with its latest failure.
      const first = await world.runToEnd("fails", "quietly");
      const failed = await world.runToEnd("fails", "loudly");
      const failures = page.getByRole("region", { name: "Recent failures" });
      await failures.getByTitle(failed).waitFor();
      assert.equal(await failures.getByTitle(first).count(), 0);
    },
  },
  {
    name: "everything is reached by keyboard: search, pages, rows, and back",
    run: async ({ page }) => {
      await page.goto("/");
      await page.getByRole("heading", { name: "Now" }).waitFor();
      await page.keyboard.press("/");
      await page.getByRole("dialog", { name: "Search" }).waitFor();
      await page.keyboard.type("repor");
      await page.getByRole("dialog").getByRole("link", { name: /^report/ }).waitFor();
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "report" }).waitFor();
      await page.keyboard.press("g");
      await page.keyboard.press("j");
      await page.getByRole("heading", { name: "Jobs" }).waitFor();
      await page.getByRole("row").nth(1).waitFor();
      await page.keyboard.press("j");
      await page.keyboard.press("j");
      await page.keyboard.press("k");
      const first = await page.locator("main [data-row]").first().textContent();
      assert.equal(await page.evaluate("document.activeElement.textContent"), first);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: first!, exact: true }).waitFor();
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    },
  },
  {
    name: "the search leads to the instances that were given a text, and Escape closes it",
    run: async (world) => {
      const { page } = world;
      const id = await world.runToEnd("report", "order-4711");
      await visit(page, "/");
      await page.getByRole("heading", { name: "Now" }).waitFor();
      const dialog = page.getByRole("dialog", { name: "Search" });
      await page.keyboard.press("/");
      await dialog.waitFor();
      await page.keyboard.type("order-4711");
      await dialog.getByRole("link", { name: /order-4711/ }).waitFor();
      await page.keyboard.press("Enter");
      await page.getByRole("region", { name: "Instances" }).getByTitle(id).waitFor();
      await page.keyboard.press("/");
      await dialog.waitFor();
      await page.keyboard.type("abc");
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
    },
  },
  {
    name: "a new page gets the focus on its title, and the skip link leads past the navigation",
    run: async ({ page }) => {
      await page.goto("/");
      await page.getByRole("heading", { name: "Now" }).waitFor();
      await page.keyboard.press("Tab");
      assert.match(String(await page.evaluate("document.activeElement.textContent")), /Skip/);
      await page.getByRole("navigation").getByRole("link", { name: "Nodes" }).click();
      await page.getByRole("heading", { name: "Nodes" }).waitFor();
      await page.locator("h1:focus").waitFor();
      assert.equal(await page.title(), "Nodes · jobctl");
      await page.goBack();
      await page.getByRole("heading", { name: "Now" }).waitFor();
    },
  },
  {
    name: "the chosen look and clock stay over a reload",
    run: async (world) => {
      const window = await world.window({ timezone: "Asia/Tokyo" });
      const { page } = window;
      await page.goto("/schedules?text=report");
      await logIn(page, TOKENS.viewer);
      const next = page.getByRole("row", { name: /report/ }).locator("time").first();
      await next.waitFor();
      const local = await next.textContent();
      await page.getByLabel("Time zone").selectOption("job");
      await page.getByLabel("Theme").selectOption("dark");
      await page.reload();
      await next.waitFor();
      assert.match((await next.textContent())!, /03:00/);
      assert.notEqual(await next.textContent(), local);
      assert.equal(await page.evaluate("document.documentElement.dataset.theme"), "dark");
      await closeWindow(window);
    },
  },
  {
    name: "on a phone of 360 px every page fits, and the menu opens",
    run: async (world) => {
      const window = await world.window({ width: 360, height: 740 });
      const { page } = window;
      await page.goto("/");
      await logIn(page, TOKENS.operator);
      await page.getByRole("heading", { level: 1 }).waitFor();
      for (const path of PATHS) {
        await visit(page, path);
        await page.getByRole("heading", { level: 1 }).waitFor();
        const wide = await page.evaluate("document.documentElement.scrollWidth");
        assert.ok(Number(wide) <= 360, `${path} is ${wide} px wide`);
      }
      await page.getByRole("button", { name: "Pages" }).click();
      await page.getByRole("navigation").getByRole("link", { name: "Instances" }).click();
      await page.getByRole("heading", { name: "Instances" }).waitFor();
      await page.getByRole("navigation", { name: "Pages" }).waitFor({ state: "hidden" });
      await closeWindow(window);
    },
  },
  {
    name: "on a phone the values of the settings are beside their keys",
    run: async ({ page }) => {
      await page.setViewportSize({ width: 360, height: 740 });
      await visit(page, "/config");
      const cell = page.getByRole("cell", { name: '["lan"]' });
      await cell.waitFor();
      const { x, width } = (await cell.boundingBox())!;
      assert.ok(x > 100 && x + width <= 360, `it is from ${x} to ${x + width}`);
      await page.setViewportSize({ width: 1_280, height: 800 });
    },
  },
  {
    name: "an unknown page says so",
    run: async ({ page }) => {
      await visit(page, "/none/of/these");
      await page.getByRole("heading", { name: "There is no such page" }).waitFor();
      await page.getByRole("link", { name: "Show what happens now" }).click();
      await page.getByRole("heading", { name: "Now" }).waitFor();
    },
  },
  {
    name: "the workers of a node are changed, and that is undone",
    run: async ({ page, daemon }) => {
      await visit(page, "/nodes");
      const change = async (count: number) => {
        await page.getByRole("button", { name: "Workers…" }).click();
        const dialog = page.getByRole("dialog");
        await dialog.getByLabel(/How many/).fill(String(count));
        await dialog.getByRole("button", { name: "Change" }).click();
        await page.getByText(`gets ${count} workers`).waitFor();
      };
      await change(6);
      await page.getByText("/ 6").first().waitFor();
      await change(7);
      // At once: the message with the button goes away, maybe before the node has changed.
      await page.getByRole("button", { name: "Undo" }).last().click();
      await until("the node is to have 6 again", async () => {
        const [node] = (await daemon.client().listNodes({})).nodes;
        return (node?.wantedWorkers ?? node?.workers) === 6;
      });
    },
  },
  {
    name: "the store counts instances, and leads to them",
    run: async (world) => {
      const { page } = world;
      await world.runToEnd("sum", "1");
      await visit(page, "/store");
      await page.getByText(/^\d.* [KM]iB$/).first().waitFor();
      await page.getByRole("row", { name: /^sum/ }).getByRole("link", { name: /\d/ }).first()
        .click();
      await page.waitForURL(/kind=sum&state=completed/);
    },
  },
  {
    name: "the configuration is reloaded, and what has changed is said",
    run: async ({ page }) => {
      await visit(page, "/config");
      await page.getByRole("row", { name: /^worker\.count 4 .*config\.toml:4$/ }).waitFor();
      await page.getByRole("button", { name: "Reload" }).click();
      await page.getByText(/Reloaded: 12 jobs, 0 new/).waitFor();
    },
  },
  {
    name: "the configuration is shown with the place of each value, without secrets",
    run: async ({ page }) => {
      await visit(page, "/config");
      const tokens = page.getByRole("row", { name: /^server\.auth\.tokens/ });
      await tokens.getByText('"vera"').waitFor();
      const text = await page.locator("main").textContent();
      assert.deepEqual(Object.values(TOKENS).filter((token) => text?.includes(token)), []);
      await page.getByLabel("Search the settings").fill("server.port");
      await page.getByRole("row", { name: /^server\.port "0" JOBCTL_SERVER_PORT$/ }).waitFor();
      assert.equal(await tokens.count(), 0);
    },
  },
  {
    name: "an incident is acknowledged, that is undone, and it is closed",
    run: async (world) => {
      const { page } = world;
      await world.runToEnd("broken");
      await visit(page, "/");
      await page.getByRole("link", { name: "broken" }).first().waitFor();
      await visit(page, "/incidents");
      const link = page.getByRole("link", { name: "broken", exact: true });
      const card = page.locator(".card").filter({ has: link });
      await card.getByText("the pump is broken").waitFor();
      await card.getByRole("button", { name: "Acknowledge" }).click();
      await card.getByText(/acknowledged by/).waitFor();
      await page.getByRole("button", { name: "Undo" }).click();
      await card.getByText(/acknowledged by/).waitFor({ state: "detached" });
      await card.getByRole("button", { name: "Close…" }).click();
      await page.getByRole("dialog").getByText("jobctl ack broken --close").waitFor();
      await page.getByRole("dialog").getByRole("button", { name: "Close it" }).click();
      await card.waitFor({ state: "detached" });
    },
  },
  {
    name: "hostile text stays text, wherever it is shown",
    run: async (world) => {
      const { page } = world;
      const evil = [
        `<script>top.hacked=1</script>`,
        `"><img src=x onerror="top.hacked=1">`,
        `javascript:top.hacked=1`,
        `\u202egnp.\u200bexe\u001b]8;;javascript:top.hacked=1\u0007link\u001b]8;;\u0007`,
      ].join(" ");
      const ids = await Promise.all([
        world.runToEnd("report", evil),
        world.runToEnd("fails", evil),
      ]);
      await world.daemon.client().pause({ kind: "tidy", reason: evil });
      const paths = ["/", "/instances", "/dead-letters?kind=fails", "/jobs/fails", "/jobs/tidy"];
      for (const path of [...paths, "/timeline", ...ids.map((id) => `/instances/${id}`)]) {
        await visit(page, path);
        await page.getByText("top.hacked=1").first().waitFor({ state: "attached" });
        assert.equal(await page.evaluate("typeof top.hacked"), "undefined", path);
        const count = await page.locator("main img, main script, a[href^=javascript]").count();
        assert.equal(count, 0, path);
        const shown = await page.evaluate(
          "document.body.innerText + [...document.querySelectorAll('[title], [aria-label], title')].map((one) => one.outerHTML)",
        );
        assert.doesNotMatch(String(shown), /[\u202a-\u202e\u2066-\u2069\u200b]/, path);
      }
      await world.daemon.client().resume({ kind: "tidy" });
    },
  },
  {
    name: "an error without blanks wraps, and only its begin is drawn until all is asked for",
    run: async (world) => {
      const { page } = world;
      const id = await world.runToEnd("fails", "Q".repeat(10_000));
      for (const path of ["/jobs/fails", `/instances/${id}`]) {
        await visit(page, path);
        await page.getByText("QQQ").first().waitFor();
        const over = await page.evaluate(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        assert.equal(over, 0, path);
      }
      const length = () =>
        page.locator(".error-view p").evaluate((error) => error.textContent!.length);
      assert.ok(await length() < 5_000);
      const all = page.locator(".error-view p").getByRole("button", { name: /^Show all/ });
      await all.click();
      await all.waitFor({ state: "detached" });
      // The daemon keeps 8,192 characters of a message.
      assert.ok(await length() > 8_000);
    },
  },
  {
    name: "notices are silenced and sent again",
    run: async ({ page }) => {
      await visit(page, "/incidents");
      await page.getByRole("button", { name: "Silence…" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel(/^Job/).fill("report");
      await dialog.getByLabel(/^Reason/).fill("planned");
      await dialog.getByRole("button", { name: "Silence" }).click();
      await page.getByText("Silenced report").waitFor();
      const line = page.getByRole("listitem").filter({ hasText: "until" });
      // The name comes first, apart from the reason: a reason cannot name somebody else.
      assert.match(await line.innerText(), /by\s+\S+\s+planned/);
      assert.deepEqual((await line.locator("bdi").allTextContents()).at(-1), "planned");
      await page.getByRole("button", { name: "End it" }).click();
      await page.getByText("No notices are held back").waitFor();
    },
  },
];

/** What ran and will run, over time, and the description of the API. */
export const TIME_FLOWS: readonly Flow[] = [
  {
    name: "the timeline shows past and future runs, and zooms",
    run: async (world) => {
      const { page } = world;
      await world.runToEnd("sum", "2");
      await visit(page, "/timeline");
      await page.locator(".run-bar.bar-good").first().waitFor();
      await page.locator(".run-bar.bar-ghost, .heat-future").first().waitFor();
      await page.getByRole("button", { name: "Hour", exact: true }).click();
      await page.waitForURL(/from=/);
      await page.getByText("As a table").click();
      await page.getByRole("region", { name: "Runs" }).getByText("completed").first().waitFor();
    },
  },
  {
    name: "the timeline draws the lanes in sight, of any number of jobs",
    run: async ({ page }) => {
      const [from, to] = ["2026-11-01T00:00:00.000Z", "2026-11-01T06:00:00.000Z"];
      const runs = Array.from({ length: 200 }, (_, index) => ({
        ...{ kind: `job-${String(index).padStart(3, "0")}`, id: `run-${index}`, attempts: 1 },
        ...{ state: "completed", started_at: from, ended_at: to },
      }));
      const body = { runs, gaps: [], counts: [], bounds: [], total: 200, is_estimate: false };
      await page.route("**/api/v1/timeline?*", (route) => route.fulfill({ json: body }));
      await visit(page, `/timeline?from=${from}&to=${to}`);
      await page.locator(".run-bar").first().waitFor();
      const drawn = await page.locator(".run-bar").count();
      assert.ok(drawn > 20 && drawn < 120, `${drawn} bars are drawn`);
      assert.equal(await page.locator("a[aria-label^='job-199']").count(), 0);
      await page.getByRole("link", { name: "job-199", exact: true }).scrollIntoViewIfNeeded();
      await page.locator("a[aria-label^='job-199'] .run-bar").waitFor();
      assert.equal(await page.locator("a[aria-label^='job-000']").count(), 0);
      await page.unroute("**/api/v1/timeline?*");
    },
  },
  {
    name: "the timeline says above the lanes when clocks change",
    run: async (world) => {
      const window = await world.window({ timezone: "America/New_York" });
      const { page } = window;
      await page.goto("/");
      await logIn(page, TOKENS.operator);
      await visit(page, "/timeline?from=2027-03-13T12:00:00.000Z&to=2027-03-15T12:00:00.000Z");
      const text = (await page.getByText("clocks UTC-5 → UTC-4").boundingBox())!;
      const lane = (await page.locator(".run-bar, .heat").first().boundingBox())!;
      assert.ok(text.y + text.height <= lane.y, `it ends at ${text.y + text.height}`);
      await closeWindow(window);
    },
  },
  {
    name: "the calendar and the timeline lead to any time at once",
    run: async ({ page }) => {
      await visit(page, "/calendar");
      await page.getByRole("textbox", { name: "Month" }).fill("2026-03");
      await page.getByRole("heading", { name: "March 2026" }).waitFor();
      await page.getByRole("link", { name: "29, timeline of 2026-03-29" }).click();
      await page.getByRole("heading", { name: "Timeline" }).waitFor();
      const day = page.getByLabel("Day", { exact: true });
      assert.equal(await day.inputValue(), "2026-03-29");
      await day.fill("2026-03-30");
      await page.waitForURL(/from=2026-03-30T00%3A00/);
    },
  },
  {
    name: "the calendar counts by day, and leads to the runs of a day",
    run: async (world) => {
      const { page } = world;
      await world.runToEnd("sum", "1");
      await visit(page, "/calendar");
      const today = page.locator(".day-today");
      await today.getByText(/completed/).waitFor();
      await today.getByRole("link", { name: /completed/ }).click();
      await page.waitForURL(/\/instances\?state=completed&after=/);
      await page.locator("main tbody tr").first().waitFor();
    },
  },
  {
    name: "the API page documents each job's own operation",
    run: async ({ page }) => {
      await visit(page, "/docs?text=report");
      await page.locator("summary", { hasText: "/jobs/report/runs" }).click();
      await page.getByText(/account/).first().waitFor();
    },
  },
];
