import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { Browser, Page } from "playwright-core";
import { type Daemon, startDaemon } from "../processes/daemon.ts";
import {
  closeWindow,
  launchBrowser,
  openWindow,
  type Window,
  type WindowOptions,
} from "./browser.ts";

/** Tokens of the configuration, by role. */
export const TOKENS = {
  viewer: "viewer-token-of-the-dashboard-tests-1",
  operator: "operator-token-of-the-dashboard-tests",
  limited: "limited-token-of-the-dashboard-tests-1",
} as const;

const TOML = `
[worker]
count = 4

[node]
tags = ["lan"]

[server.auth]
tokens = [
  { name = "vera", role = "viewer", token = "${TOKENS.viewer}" },
  { name = "otto", role = "operator", token = "${TOKENS.operator}" },
  { name = "lina", role = "operator", jobs = ["sum"], token = "${TOKENS.limited}" },
]

[jobs.sum]
description = "Adds two numbers"

[jobs.report]
schedule = "0 3 * * *"
timezone = "Europe/Berlin"
args = ["nightly"]

[jobs.steps]
description = "Writes a line for each step"

[jobs.fails]
description = "Fails for good"

[jobs.waits]
description = "Waits for its turn"
concurrency = 1

[notices.ops]
to = "exec"
command = ["true"]
jobs = ["broken"]

[jobs.broken]
description = "Opens an incident"

[jobs.long]
params = "lines: number"
run = "seq -f 'line %.0f of a long log' $1"
output.lines_max = 300000
output.size_max = "16MiB"

[jobs.naps]
run = "sleep 60 & sleep 60"

[jobs.tidy]
run = "true"
needs = "lan"
schedule = "*/5 * * * *"
description = "Tidies up"

[jobs.tidy.hook]
verify = "github"
secret = "the-secret-of-a-hook-0123456789"
only = { "$.action" = ["closed", "merged"] }
`;

const MODULES = {
  "order.ts": `
import type { Context } from "ts-job";
export default async function order(ctx: Context, name: string): Promise<string> {
  await ctx.step("charge", () => ({ paid: name }));
  const answer = await ctx.waitFor<{ ok: boolean }>("approved", { timeout: "7d" });
  const other = await ctx.waitFor<string>("note");
  return answer.timedOut || other.timedOut ? "late" : String(answer.value.ok) + other.value;
}
`,
  "fan.ts": `
import type { Context } from "ts-job";
/** Calls twelve parts: the fourth fails, and with "wait" the sixth waits. */
export default async function fan(ctx: Context, how: string): Promise<void> {
  const inputs = Array.from({ length: 12 }, (_, n): [string] =>
    [n === 3 ? "fail" : n === 5 ? how : "<b>"]);
  await ctx.callAll("part", inputs, { onFailure: "collect" });
}
`,
  "part.ts": `
import type { Context } from "ts-job";
export default async function part(ctx: Context, how: string): Promise<void> {
  if (how === "fail") throw new Error("a part is broken");
  if (how === "wait") await ctx.waitFor("go");
}
`,
  "sum.ts": `
/**
 * @param a the first number
 * @param b the second number
 */
export default function sum(a: number, b: number = 1): number {
  return a + b;
}
`,
  "report.ts": `
/** What is reported of an account. */
export default function report(
  account: string,
  pages: number = 10,
  format: "pdf" | "csv" = "pdf",
  since?: Date,
  tags?: string[],
  isDraft: boolean = false,
): { account: string; pages: number } {
  console.log("\\u001b[32mgreen\\u001b[0m <img src=x onerror=alert(1)> of " + account);
  return { account, pages };
}
`,
  "steps.ts": `
import { existsSync } from "node:fs";
import type { Context } from "ts-job";
/** Writes lines until a file exists. */
export default async function steps(context: Context, lines: number, until: string = ""): Promise<void> {
  for (let line = 1; line <= lines; line++) {
    console.log("step " + line + " of " + lines);
    context.progress(line, lines);
  }
  for (let more = 1; until !== "" && !existsSync(until); more++) {
    console.log("more " + more);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
`,
  "fails.ts": `
export default function fails(why: string): void {
  throw new RangeError("broken: " + why);
}
`,
  "broken.ts": `
export default function broken(): void {
  throw new Error("the pump is broken");
}
`,
  "waits.ts": `
import type { Context } from "ts-job";
export default async function waits(context: Context, name: string): Promise<void> {
  await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
}
`,
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A daemon with jobs, and a browser in which an admin has logged in. */
export interface DashboardWorld {
  daemon: Daemon;
  readonly browser: Browser;
  readonly origin: string;
  /** The window of the admin. */
  readonly admin: Window;
  /** Its page. */
  readonly page: Page;
  /** Another window, of nobody yet. */
  window(options?: WindowOptions): Promise<Window>;
  /** Run a job. @returns the id of the instance */
  run(kind: string, ...args: string[]): Promise<string>;
  /** Run a job and wait for its end. @returns the id of the instance */
  runToEnd(kind: string, ...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Options of {@link createDashboardWorld}. */
export interface DashboardWorldOptions {
  /** Path of the site behind a proxy. */
  readonly basePath?: string;
  /** A browser that runs already; by default one of its own. */
  readonly browser?: Browser;
  /** More of the configuration. */
  readonly toml?: string;
  /** More of the environment of the daemon. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Log in with a token. */
export async function logIn(page: Page, token: string): Promise<void> {
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button").click();
}

/** A page with nothing of its own. */
const EMPTY_PATH = "/none";

/**
 * Show another page in a window that shows one, as a link does, but with nothing of the page before
 * and no messages. `page.goto()` takes longer: it also loads the scripts.
 *
 * @param path with its query, and without a hash
 */
export async function visit(page: Page, path: string): Promise<void> {
  const close =
    `document.querySelectorAll(".toast [aria-label=Close]").forEach((one) => one.click());`;
  const steps = [EMPTY_PATH, path].map((to) =>
    `history.pushState(null, "", ${JSON.stringify(to)});
    dispatchEvent(new PopStateEvent("popstate"));
    await new Promise(requestAnimationFrame);`
  );
  await page.evaluate(`(async () => { ${close} ${steps.join("\n")} })()`);
}

/** Start a daemon and a browser, and log in with a one-time code. */
export async function createDashboardWorld(
  { basePath = "", browser: shared, toml = "", env = {} }: DashboardWorldOptions = {},
): Promise<DashboardWorld> {
  // The same one after a restart.
  const port = await freePort();
  const [daemon, browser] = await Promise.all([
    startDaemon({
      toml: TOML + toml,
      modules: MODULES,
      env: {
        JOBCTL_SERVER_HTTP: `127.0.0.1:${port}`,
        ...(basePath === "" ? {} : { JOBCTL_SERVER_BASE_PATH: basePath }),
        ...env,
      },
    }),
    shared ?? launchBrowser(),
  ]);
  const origin = `http://127.0.0.1:${port}`;
  const admin = await openWindow(browser, origin);
  const opened = await daemon.jobctl(["open", "--print", "-o", "name"]);
  assert.equal(opened.code, 0, opened.stderr);
  await admin.page.goto(opened.stdout.trim());
  const world: DashboardWorld = {
    ...{ daemon, browser, origin, admin, page: admin.page },
    window: (options) => openWindow(browser, origin, options),
    async run(kind, ...args) {
      const { instance } = await world.daemon.client().scheduleJob({ kind, arguments: args });
      return instance!.uuid;
    },
    async runToEnd(kind, ...args) {
      const id = await world.run(kind, ...args);
      await world.daemon.client().waitInstance({ uuid: id, waitMs: 30_000n });
      return id;
    },
    async stop() {
      try {
        await closeWindow(admin);
      } finally {
        if (shared === undefined) await browser.close();
        await world.daemon.stop({ force: true });
      }
    },
  };
  return world;
}
