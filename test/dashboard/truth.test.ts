import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WITHOUT_BROWSER } from "../support/browser/browser.ts";
import {
  createDashboardWorld,
  type DashboardWorld,
  visit,
} from "../support/browser/dashboard_world.ts";
import { startDaemon } from "../support/processes/daemon.ts";
import { startValkey } from "../support/servers/valkey_server.ts";
import { SELECTION_FLOWS } from "./flows/selection_flows.ts";
import { TRUTH_FLOWS, TRUTH_TOML } from "./flows/truth_flows.ts";

/** Longest run of a flow: many things happen in it. */
const FLOW_MS_MAX = 120_000;

// One daemon with over a thousand jobs, and one browser for all.
let world: DashboardWorld;

before(async () => {
  if (WITHOUT_BROWSER === false) world = await createDashboardWorld({ toml: TRUTH_TOML });
}, { timeout: FLOW_MS_MAX });
after(() => world?.stop());

for (const { name, run } of [...SELECTION_FLOWS, ...TRUTH_FLOWS]) {
  test(name, { skip: WITHOUT_BROWSER, timeout: FLOW_MS_MAX }, async () => {
    await run(world);
    assert.deepEqual(world.admin.problems.splice(0), []);
  });
}

test(
  "the workers of all live nodes are counted",
  { skip: WITHOUT_BROWSER, timeout: FLOW_MS_MAX },
  async () => {
    const server = await startValkey();
    const store = { JOBCTL_STORE_URL: `valkey://127.0.0.1:${server.port}/0` };
    const both = await createDashboardWorld({
      browser: world.browser,
      env: { ...store, JOBCTL_NODE_ID: "near", JOBCTL_WORKER_LEASE: "3s" },
    });
    const other = await startDaemon({
      toml: '[node]\ntags = ["far"]\n[worker]\ncount = 6\n[jobs.rests]\nrun = "sleep 60"\n',
      env: { ...store, JOBCTL_NODE_ID: "far", JOBCTL_WORKER_LEASE: "3s" },
    });
    try {
      await other.client().scheduleJob({ kind: "rests", arguments: [] });
      await visit(both.page, "/");
      const tile = both.page.getByRole("link", { name: /workers busy/ });
      await tile.filter({ hasText: "1 / 10" }).waitFor();
      assert.equal(await tile.getAttribute("title"), "near: 0 of 4, far: 1 of 6");
    } finally {
      await other.stop({ force: true });
      await both.stop();
      await server.close();
    }
  },
);
