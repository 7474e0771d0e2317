import assert from "node:assert/strict";
import { closeWindow, type Window } from "../../support/browser/browser.ts";
import {
  type DashboardWorld,
  logIn,
  TOKENS,
  visit,
} from "../../support/browser/dashboard_world.ts";
import type { Flow } from "./flow.ts";

/** What Chromium writes about a refusal that the test provokes. */
const REFUSED = /status of 40[13]/;

async function asRole(
  world: DashboardWorld,
  token: string,
  look: (window: Window) => Promise<void>,
): Promise<void> {
  const window = await world.window({ expected: REFUSED });
  await window.page.goto("/");
  await logIn(window.page, token);
  await window.page.getByRole("heading", { name: "Now" }).waitFor();
  await look(window);
  await closeWindow(window);
}

/** Status of a request that the page could send, with its cookie. */
function statusOf({ page }: Window, method: string, path: string, body: object): Promise<number> {
  const call = { method, path: `/api/v1${path}`, body };
  return page.evaluate(
    `(async ({ method, path, body }) => (await fetch(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) })).status)(${
      JSON.stringify(call)
    })`,
  );
}

/** Who may come in, and what they may do. */
export const ACCESS_FLOWS: readonly Flow[] = [
  {
    name: "a one-time code opens the dashboard, and its URL keeps no secret",
    run: async ({ page }) => {
      await page.getByRole("heading", { name: "Now" }).waitFor();
      assert.doesNotMatch(page.url(), /code/);
      await page.getByText("Live", { exact: true }).waitFor();
    },
  },
  {
    name: "who is not logged in is led to the login, and back to the page after it",
    run: async (world) => {
      const window = await world.window();
      await window.page.goto("/instances?kind=sum&state=completed");
      await window.page.getByLabel("Token").waitFor();
      await logIn(window.page, TOKENS.viewer);
      await window.page.getByRole("heading", { name: "Instances" }).waitFor();
      assert.match(window.page.url(), /\/instances\?kind=sum&state=completed$/);
      await closeWindow(window);
    },
  },
  {
    name: "a wrong token is refused",
    run: async (world) => {
      const window = await world.window({ expected: REFUSED });
      await window.page.goto("/");
      await logIn(window.page, "wrong");
      await window.page.getByRole("alert").waitFor();
      await closeWindow(window);
    },
  },
  {
    name: "a viewer sees no button that changes something, and is refused without one",
    run: async (world) => {
      await asRole(world, TOKENS.viewer, async (window) => {
        const { page } = window;
        await page.goto("/jobs/sum");
        await page.getByRole("heading", { name: "sum", exact: true }).waitFor();
        await page.getByRole("button", { name: "Log out" }).waitFor();
        for (const name of [/Run/, /Pause/, /Backfill/]) {
          assert.equal(await page.getByRole("button", { name }).count(), 0);
        }
        await page.goto("/instances");
        assert.equal(await page.getByRole("button", { name: /Cancel all/ }).count(), 0);
        assert.equal(await statusOf(window, "POST", "/jobs/sum/runs", { arguments: [1] }), 403);
        assert.equal(await statusOf(window, "POST", "/pauses", { kind: "sum" }), 403);
        assert.equal(await statusOf(window, "DELETE", "/pauses/sum", {}), 403);
        assert.equal(await statusOf(window, "POST", "/instances/cancel", { all: true }), 403);
      });
    },
  },
  {
    name: "an operator runs jobs, and does not change workers or the configuration",
    run: async (world) => {
      await asRole(world, TOKENS.operator, async (window) => {
        const { page } = window;
        await page.goto("/jobs/sum");
        await page.getByRole("button", { name: "Run…" }).waitFor();
        await page.goto("/config");
        await page.getByRole("heading", { name: "Notice channels" }).waitFor();
        assert.equal(await page.getByRole("button", { name: "Reload" }).count(), 0);
        await page.goto("/nodes");
        await page.getByRole("cell", { name: "live" }).waitFor();
        assert.equal(await page.getByRole("button", { name: "Workers…" }).count(), 0);
        assert.equal(await statusOf(window, "POST", "/config/reload", {}), 403);
        assert.equal(await statusOf(window, "PUT", "/workers", { count: 9 }), 403);
      });
    },
  },
  {
    name: "a token for some jobs sees only these",
    run: async (world) => {
      await asRole(world, TOKENS.limited, async ({ page }) => {
        await page.goto("/jobs");
        await page.getByRole("main").getByRole("link", { name: "sum" }).waitFor();
        assert.equal(await page.getByRole("main").getByRole("link", { name: "report" }).count(), 0);
      });
    },
  },
  {
    name: "logging out ends the session",
    run: async (world) => {
      await asRole(world, TOKENS.viewer, async ({ page }) => {
        await page.getByRole("button", { name: "Log out" }).click();
        await page.getByLabel("Token").waitFor();
        await page.goto("/jobs");
        await page.getByLabel("Token").waitFor();
      });
    },
  },
  {
    name: "a session that is ended elsewhere leads to the login",
    run: async (world) => {
      await asRole(world, TOKENS.viewer, async ({ page }) => {
        await visit(world.page, "/config");
        const sessions = world.page.getByRole("region", { name: "Browser sessions" });
        const row = sessions.getByRole("row", { name: /vera/ }).first();
        await row.getByRole("button", { name: "End it" }).click();
        await world.page.getByText("The session of vera is over").waitFor();
        await page.getByRole("navigation").getByRole("link", { name: "Jobs" }).click();
        await page.getByLabel("Token").waitFor();
      });
    },
  },
];
