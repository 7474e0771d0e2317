// Makes the pictures of docs/dashboard.md from the compiled file, with Debian's Chromium:
// bun scripts/dashboard/screenshots.ts
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launchBrowser, openWindow } from "../../test/support/browser/browser.ts";
import { startDaemon } from "../../test/support/processes/daemon.ts";

const FOLDER = fileURLToPath(new URL("../../docs/images/", import.meta.url));

const TOML = `
[worker]
count = 6

[jobs."backup.nightly"]
run = "echo copied 4182 files; sleep 1"
schedule = "0 3 * * *"
timezone = "Europe/Berlin"
description = "Copies the database to the other site"

[jobs."mail.send"]
run = "echo 'connecting to smtp.example.com'; echo 'connection refused' >&2; exit 1"
schedule = "*/15 * * * *"
description = "Sends what waits in the outbox"

[jobs."shop.sync"]
concurrency = 1
schedule = "*/10 8-17 * * 1-5"
args = ["shop-42", 40]
description = "Compares the stock with the shop"

[jobs.report]
schedule = "0 9 * * 1-5"
timezone = "America/New_York"
args = ["nightly", 3]

[jobs.cleanup]
run = "true"
schedule = "@hourly"
description = "Deletes old files"
`;

const STEPS = `
import type { Context } from "ts-job";
/**
 * @param account whose figures
 * @param pages how many
 */
export default async function job(context: Context, account: string, pages: number = 10): Promise<number> {
  for (let page = 1; page <= pages; page++) {
    context.progress(page, pages);
    console.log("\\u001b[32mok\\u001b[0m " + account + ": page " + page + " of " + pages);
    if (page % 7 === 0) context.log.warn("page " + page + " has no figures");
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return pages * 40;
}
`;

const PICTURES = [
  { name: "now", path: () => "/", schemes: ["light", "dark"] },
  { name: "instance", path: (id: string) => `/instances/${id}`, schemes: ["dark"] },
  { name: "timeline", path: () => "/timeline", schemes: ["light"] },
] as const;

const daemon = await startDaemon({
  toml: TOML,
  modules: { "report.ts": STEPS, "shop.sync.ts": STEPS },
  env: { JOBCTL_SERVER_AUTH_MODE: "none" },
});
const browser = await launchBrowser();
try {
  const client = daemon.client();
  const run = async (kind: string, ...args: string[]) =>
    (await client.scheduleJob({ kind, arguments: args })).instance!.uuid;
  const ids: string[] = [];
  for (const kind of ["backup.nightly", "mail.send", "cleanup", "mail.send"]) {
    ids.push(await run(kind));
  }
  await Promise.all(ids.map((uuid) => client.waitInstance({ uuid, waitMs: 30_000n })));
  await client.pause({ kind: "cleanup", reason: "new disk" });
  await run("shop.sync", "shop-7", "400");
  await run("shop.sync", "shop-42", "90");
  await run("report", "acme", "200");
  const shown = await run("report", "globex", "160");
  mkdirSync(FOLDER, { recursive: true });
  for (const { name, path, schemes } of PICTURES) {
    for (const scheme of schemes) {
      const origin = `http://127.0.0.1:${daemon.httpPort}`;
      const { page, context } = await openWindow(browser, origin, { scheme });
      await page.goto(path(shown));
      await page.locator("main .table, main .log, main .timeline").first().waitFor();
      await page.getByText("Live", { exact: true }).waitFor();
      // Time for progress and lines.
      await page.waitForTimeout(2_500);
      await page.screenshot({ path: `${FOLDER}dashboard-${name}-${scheme}.png` });
      await context.close();
    }
  }
} finally {
  await browser.close();
  await daemon.stop({ force: true });
}
