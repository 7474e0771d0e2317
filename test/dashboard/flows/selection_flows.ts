import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import type { Page } from "playwright-core";
import { type DashboardWorld, visit } from "../../support/browser/dashboard_world.ts";
import { until } from "../../support/wait.ts";
import type { Flow } from "./flow.ts";

/** Instances that fail, and that wait, of each way to select them. */
interface Made {
  /** Between two groups of instances. */
  readonly between: string;
  /** Of a schedule that ran once. */
  readonly schedule: string;
  /** A unique key, as an instance shows it. */
  readonly key: string;
  readonly node: string;
}

/** The words of a command that the page shows, as a shell reads them, without "jobctl". */
function wordsOf(command: string): readonly string[] {
  const line = command.replace(/^\$/, "");
  const read = execFileSync("/bin/sh", ["-c", `printf '%s\\0' ${line}`], { encoding: "utf8" });
  return read.split("\0").slice(1, -1);
}

/** The ids that a command of the page prints. */
async function idsOf(
  { daemon }: DashboardWorld,
  command: string,
  ...more: readonly string[]
): Promise<readonly string[]> {
  const run = await daemon.jobctl([...wordsOf(command), ...more, "-o", "json"]);
  assert.equal(run.code, 0, `${command}: ${run.stderr}`);
  return (JSON.parse(run.stdout) as readonly { readonly uuid: string }[])
    .map(({ uuid }) => uuid).sort();
}

async function shownIds(page: Page): Promise<readonly string[]> {
  const links = page.getByRole("region", { name: "Instances" }).locator("a[title]");
  const titles = await links.evaluateAll((all) => all.map((one) => one.getAttribute("title")!));
  return titles.sort();
}

/** Some that wait and some that fail, the first half before a time. */
async function make({ daemon, page }: DashboardWorld): Promise<Made> {
  const client = daemon.client();
  const node = (await client.getStatus()).node;
  // Its ticks would come in between.
  await client.pause({ kind: "tidy" });
  // Notices that wait for their next attempt, and are not listed.
  for (let index = 0; index < 3; index++) {
    const { instance } = await client.scheduleJob({ kind: "unheard", arguments: [] });
    await client.waitInstance({ uuid: instance!.uuid, waitMs: 30_000n });
  }
  await until("notices wait", async () => {
    const { kinds } = await client.getStatus();
    return kinds.some(({ kind, scheduled }) => kind.startsWith("system.notice.") && scheduled > 0n);
  });
  let key = "";
  const some = async () => {
    for (const text of ["customer-42", "customer-7"]) {
      const uniqueKey = `order ${text}`;
      const { instance } = await client.scheduleJob({
        ...{ kind: "waits", arguments: [text], uniqueKey },
      });
      key = instance!.uniqueKey!;
      await client.scheduleJob({ kind: "later", arguments: [text], afterMs: 3_600_000n });
      const failed = await client.scheduleJob({ kind: "fails", arguments: [text] });
      await client.waitInstance({ uuid: failed.instance!.uuid, waitMs: 30_000n });
      await client.scheduleJob({ kind: "gpu", arguments: [text] });
    }
  };
  await some();
  await page.waitForTimeout(20);
  const between = new Date().toISOString();
  await client.scheduleJob({ kind: "waits", arguments: ["customer-42 again"] });
  const made = await client.scheduleJob({
    ...{ kind: "later-on", arguments: ["tick"], cron: "* * * * * *", recurrence: { runsMax: 1 } },
  });
  const schedule = made.schedule!.id;
  await until("the schedule has run", async () => {
    const { instances } = await client.lookupInstances({ query: { scheduleId: schedule } });
    return instances.length === 1;
  });
  return { between, schedule, key, node };
}

/** A query of the list for each member of the filter, and some together. */
function queriesOf({ between, schedule, key, node }: Made): readonly string[] {
  const members: Readonly<Record<string, string>> = {
    kind: "waits",
    state: "scheduled",
    text: "customer-42",
    key,
    schedule,
    node,
    tag: "gpu-of-nobody",
    after: between,
    before: between,
  };
  const each = Object.entries(members).map(([name, value]) =>
    new URLSearchParams([[name, value]]).toString()
  );
  const both = (...names: readonly string[]) =>
    new URLSearchParams(names.map((name) => [name, members[name]!])).toString();
  return ["", ...each, both("kind", "text"), both("text", "before", "state")];
}

/** What is shown, counted and done selects the same, as page and as command. */
export const SELECTION_FLOWS: readonly Flow[] = [
  {
    name: "the command of a list, and that of a dialog, select what the list and the dialog do",
    run: async (world) => {
      const { page, daemon } = world;
      const made = await make(world);
      const footer = page.getByRole("contentinfo").locator("code");
      for (const query of queriesOf(made)) {
        await visit(page, `/instances?${query}`);
        await page.locator("main tbody tr").first().waitFor();
        assert.deepEqual(
          await idsOf(world, (await footer.textContent())!),
          await shownIds(page),
          query,
        );
        const button = page.getByRole("button", { name: "Cancel all that match…" });
        await button.click();
        const dialog = page.getByRole("dialog");
        const none = page.getByText("No unfinished instance matches");
        await dialog.or(none).first().waitFor();
        if (await none.count() > 0) continue;
        const title = (await dialog.getByRole("heading").textContent())!;
        const command = (await dialog.locator("code").textContent())!;
        const ids = await idsOf(world, command, "--dry-run");
        assert.match(title, new RegExp(`^Cancel ${ids.length} instances?\\?$`), query);
        await dialog.getByRole("button", { name: "Back" }).click();
      }
      for (const query of queriesOf(made).filter((one) => !one.includes("state="))) {
        await visit(page, `/dead-letters?${query}`);
        await page.getByRole("button", { name: "Run all that match again…" }).click();
        const dialog = page.getByRole("dialog");
        const none = page.getByText("No dead letter matches");
        await dialog.or(none).first().waitFor();
        if (await none.count() > 0) continue;
        const title = (await dialog.getByRole("heading").textContent())!;
        const ids = await idsOf(world, (await dialog.locator("code").textContent())!, "--dry-run");
        assert.deepEqual(ids, await shownIds(page), query);
        assert.match(title, new RegExp(`^Run ${ids.length} instances? again\\?$`), query);
        await dialog.getByRole("button", { name: "Back" }).click();
      }
      const kinds = ["waits", "later", "later-on", "gpu"];
      await daemon.client().cancelInstances({ query: { kinds } });
      await daemon.client().resume({ kind: "tidy" });
    },
  },
  {
    name: "the numbers of the page, of the dialog and of what was canceled are the same",
    run: async (world) => {
      const { page } = world;
      for (const name of ["x", "y", "z"]) {
        await world.daemon.client().scheduleJob({
          ...{ kind: "later", arguments: [name], afterMs: 3_600_000n },
        });
      }
      await visit(page, "/");
      const tile = page.getByRole("link", { name: /^\d+ ?waiting$/ });
      await tile.filter({ hasText: /^3/ }).waitFor();
      // What is not counted is not listed either.
      const { runs } = await world.daemon.client().listUpcoming({});
      assert.ok(runs.some(({ kind }) => kind.startsWith("system.notice.")));
      const next = page.getByRole("region", { name: "Due next" });
      await next.getByRole("link", { name: "later", exact: true }).nth(2).waitFor();
      assert.equal(await next.getByText("system.notice").count(), 0);
      await tile.click();
      await page.waitForURL(/state=scheduled/);
      await page.locator(".page-about").getByText("3", { exact: true }).waitFor();
      await until("the three are listed", async () => (await shownIds(page)).length === 3);
      await page.getByRole("button", { name: "Cancel all that match…" }).click();
      const dialog = page.getByRole("dialog", { name: "Cancel 3 instances?" });
      await dialog.getByRole("button", { name: "Cancel 3 instances" }).click();
      await page.getByText("Canceled 3 instances").waitFor();
    },
  },
  {
    name: "of what is selected, only what can be changed is counted",
    run: async (world) => {
      const { page, daemon } = world;
      await world.run("later-on", "open");
      const ended = await world.run("later-on", "ended");
      await daemon.client().cancelInstances({ query: { uuid: ended } });
      await visit(page, "/instances?kind=later-on");
      await page.getByTitle(ended).waitFor();
      await page.getByLabel("Select all shown").check();
      await page.getByRole("button", { name: /^Cancel \d+ selected…$/ }).click();
      const dialog = page.getByRole("dialog", { name: "Cancel 1 instance?" });
      await dialog.getByText(/are finished already\.|is finished already\./).waitFor();
      assert.equal(
        (await idsOf(world, (await dialog.locator("code").textContent())!, "--dry-run")).length,
        1,
      );
      await dialog.getByRole("button", { name: "Cancel 1 instance" }).click();
      await page.getByText("Canceled 1 instance").waitFor();
    },
  },
];
