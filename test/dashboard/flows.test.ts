import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { closeWindow, WITHOUT_BROWSER } from "../support/browser/browser.ts";
import {
  createDashboardWorld,
  type DashboardWorld,
  logIn,
  TOKENS,
  visit,
} from "../support/browser/dashboard_world.ts";
import { ACCESS_FLOWS } from "./flows/access_flows.ts";
import { FRAME_FLOWS, PATHS, TIME_FLOWS } from "./flows/frame_flows.ts";
import {
  INSTANCE_FLOWS,
  LIST_FLOWS,
  RESTART_FLOWS,
  STEP_FLOWS,
  TREE_FLOWS,
} from "./flows/instance_flows.ts";
import { LONG_LOG_FLOWS } from "./flows/long_log_flows.ts";
import { JOB_FLOWS } from "./flows/job_flows.ts";

/** Longest run of a flow: many things happen in it. */
const FLOW_MS_MAX = 60_000;
/** Longest look of axe at all pages. */
const AXE_MS_MAX = 240_000;
/** Longest run of a flow with a long log, which takes a busy machine some minutes. */
const LONG_LOG_MS_MAX = 600_000;

// One daemon and one browser for all: each takes seconds to start.
let world: DashboardWorld;

before(async () => {
  if (WITHOUT_BROWSER === false) world = await createDashboardWorld();
}, { timeout: FLOW_MS_MAX });
after(() => world?.stop());

const FLOWS = [
  ...ACCESS_FLOWS,
  ...FRAME_FLOWS,
  ...LIST_FLOWS,
  ...INSTANCE_FLOWS,
  ...STEP_FLOWS,
  ...TREE_FLOWS,
  ...JOB_FLOWS,
  ...TIME_FLOWS,
];

for (const { name, run } of FLOWS) {
  test(name, { skip: WITHOUT_BROWSER, timeout: FLOW_MS_MAX }, async () => {
    await run(world);
    assert.deepEqual(world.admin.problems.splice(0), []);
  });
}

for (const { name, run } of LONG_LOG_FLOWS) {
  test(name, { skip: WITHOUT_BROWSER, timeout: LONG_LOG_MS_MAX }, async () => {
    await run(world);
    assert.deepEqual(world.admin.problems.splice(0), []);
  });
}

test("below a path of a proxy, everything has that path", { skip: WITHOUT_BROWSER }, async () => {
  const basePath = "/ops/jobs";
  const other = await createDashboardWorld({ basePath, browser: world.browser });
  const { page, origin } = other;
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(`${basePath}/jobs/sum?run=1`);
  const dialog = page.getByRole("dialog", { name: "Run sum" });
  await dialog.getByLabel(/^a/).fill("2");
  await dialog.getByRole("button", { name: "Run now" }).click();
  await page.waitForURL(`${origin}${basePath}/instances/*`);
  await page.locator(".page-about").getByText("Completed").waitFor();
  await page.getByRole("navigation").getByRole("link", { name: "Nodes" }).click();
  await page.waitForURL(`${origin}${basePath}/nodes`);
  assert.deepEqual(asked.filter((path) => !path.startsWith(`${basePath}/`)), []);
  await other.stop();
});

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
}

test(
  "axe finds nothing on any page, in both themes",
  { skip: WITHOUT_BROWSER, timeout: AXE_MS_MAX },
  async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    const window = await world.window();
    const { page } = window;
    await page.goto("/");
    await logIn(page, TOKENS.operator);
    await page.getByRole("heading", { level: 1 }).waitFor();
    // Evaluated, not inserted: the policy of the page allows no other scripts.
    await page.evaluate(axe);
    const instance = await world.runToEnd("fails", "axe");
    const flow = await world.runToEnd("fan", "axe");
    const found: string[] = [];
    // The operations of one job look as those of all.
    const paths = PATHS.map((path) => path === "/docs" ? "/docs?text=report" : path);
    const instances = [instance, flow].map((id) => `/instances/${id}`);
    for (const path of [...paths, ...instances, "/jobs/report?run=1"]) {
      await page.emulateMedia({ colorScheme: "light" });
      await visit(page, path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.locator(".skeleton").first().waitFor({ state: "detached" });
      const look = async (options: string) => {
        // Details of what is good take most of the time.
        const all = `{ resultTypes: ["violations"], ${options} }`;
        const { violations } = await page.evaluate(`axe.run(${all})`) as AxeResult;
        found.push(
          ...violations.flatMap(({ id, nodes }) =>
            nodes.map(({ html, failureSummary }) => `${path}: ${id}: ${html}\n${failureSummary}`)
          ),
        );
      };
      await look("");
      await page.emulateMedia({ colorScheme: "dark" });
      // Only colors differ.
      await look('runOnly: ["color-contrast"]');
    }
    assert.deepEqual(found, []);
    await closeWindow(window);
  },
);

for (const { name, run } of RESTART_FLOWS) {
  test(name, { skip: WITHOUT_BROWSER, timeout: FLOW_MS_MAX }, async () => {
    await run(world);
    assert.deepEqual(world.admin.problems.splice(0), []);
  });
}
