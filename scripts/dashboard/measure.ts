// What opening and using the pages of the dashboard takes, in Debian's Chromium and the compiled
// file: npm run dashboard -- measure --file PATH [--rounds N] [--json]
import { existsSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import type { CDPSession, Page } from "playwright-core";
import { launchBrowser, openWindow } from "../../test/support/browser/browser.ts";
import { type Daemon, startDaemon } from "../../test/support/processes/daemon.ts";
import { machine } from "../bench/machine.ts";
import { quantile } from "../bench/statistics.ts";

/** Longest times that a reader takes as immediate, in milliseconds. */
const PAINT_MS_MAX = 300;
const ACT_MS_MAX = 100;
/** Jobs of the store that `npm run scale` fills. */
const KINDS = 200;
/** How long a page rests before it is used, and after: what it still does then is measured. */
const REST_MS = 700;

/** What a reader does on a page, by its name. */
type Act = readonly [name: string, act: (page: Page) => Promise<void>];

/** A page, what shows that its content is there, and what to do on it. */
interface Visit {
  readonly name: string;
  readonly path: string;
  readonly content: string;
  readonly acts: readonly Act[];
}

/** The medians of what was measured on a page, in milliseconds. */
interface Figures {
  readonly name: string;
  /** From the request for the page to its first paint. */
  readonly paintMs: number;
  /** To the first rows, bars, days or lines. */
  readonly contentMs: number;
  /** Longest task of the browser's main thread while the page opens; 0 for none over 50 ms. */
  readonly longestTaskMs: number;
  /** Processor time of the main thread until the page rests. */
  readonly processorMs: number;
  /** The slowest reaction to a click or key: up to the next paint. */
  readonly actMs: number;
  /** Processor time of the main thread from that click until the page rests. */
  readonly actProcessorMs: number;
  readonly act: string;
}

const click = (selector: string) => (page: Page) => page.locator(selector).first().click();
const type = (label: string, text: string) => (page: Page) =>
  page.getByLabel(label, { exact: true }).first().pressSequentially(text);
const press = (key: string) => (page: Page) => page.keyboard.press(key);

function visitsOf(instanceId: string): readonly Visit[] {
  const rows = "main tbody tr";
  return [
    {
      ...{ name: "Now", path: "/", content: ".tiles" },
      acts: [["open the search", press("/")], ["type", type("Search", "k1")]],
    },
    {
      ...{ name: "Instances", path: "/instances", content: rows },
      acts: [
        ["choose a state", click(".chip >> text=Failed")],
        ["next row", press("j")],
        ["select all", click(".select-all input")],
        ["older ones", click("text=Older")],
      ],
    },
    {
      ...{ name: "Instances of a job, by text", content: rows },
      path: "/instances?kind=k0&text=customer-77",
      acts: [["type", type("Text in arguments", "7")]],
    },
    {
      ...{ name: "Job", path: "/jobs/k0", content: ".stats-chart" },
      acts: [["choose a month", click(".chip >> text=Month")], [
        "open the form",
        click("text=Run…"),
      ]],
    },
    {
      ...{ name: "Timeline", path: "/timeline", content: ".timeline svg rect" },
      acts: [["zoom in", click("[aria-label='Zoom in']")], ["week", click(".chip >> text=Week")]],
    },
    {
      ...{ name: "Calendar", path: "/calendar", content: ".day-line" },
      acts: [["earlier", click("text=← Earlier")]],
    },
    {
      ...{ name: "Instance with a long log", path: `/instances/${instanceId}` },
      content: ".log-row",
      acts: [["search", type("Search the log", "7")], ["next match", press("Enter")]],
    },
  ];
}

/** Runs in the page before its own scripts: notes the content, long tasks and reactions. */
const WATCH = `(content) => {
  const seen = globalThis.seen = { contentMs: 0, tasks: [], acts: [] };
  const observe = (options, to) =>
    new PerformanceObserver((list) => to.push(...list.getEntries().map((one) => one.duration)))
      .observe({ buffered: true, ...options });
  observe({ type: "longtask" }, seen.tasks);
  observe({ type: "event", durationThreshold: 16 }, seen.acts);
  globalThis.opened = new Promise((resolve) => {
    const look = () => {
      if (document.querySelector(content) === null) return void requestAnimationFrame(look);
      // The frame after the one in which it was found has been painted.
      requestAnimationFrame(() => resolve(seen.contentMs = performance.now()));
    };
    requestAnimationFrame(look);
  });
}`;

interface Seen {
  readonly contentMs: number;
  readonly tasks: readonly number[];
  readonly acts: readonly number[];
}

const seenIn = (page: Page): Promise<Seen> => page.evaluate("globalThis.seen") as Promise<Seen>;

/** What one visit took, in milliseconds. */
interface Visited extends Pick<Figures, "paintMs" | "contentMs" | "longestTaskMs" | "processorMs"> {
  readonly reactions: readonly {
    readonly name: string;
    readonly ms: number;
    readonly processorMs: number;
  }[];
}

/** Processor time of the main thread so far. */
async function processorOf(session: CDPSession): Promise<number> {
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "TaskDuration")!.value * 1_000;
}

/** Open a page as somebody who was never there, and use it. */
async function visit(page: Page, { path, content, acts }: Visit): Promise<Visited> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  await page.addInitScript({ content: `(${WATCH})(${JSON.stringify(content)})` });
  await page.goto(path, { waitUntil: "commit" });
  // A condition to wait for would be a text to evaluate, which the policy of the page refuses.
  await page.evaluate("globalThis.opened");
  await page.waitForTimeout(REST_MS);
  const processorMs = await processorOf(session);
  const opened = await seenIn(page);
  const paintMs = Number(
    await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"),
  );
  const reactions: Visited["reactions"][number][] = [];
  for (const [name, act] of acts) {
    const before = (await seenIn(page)).acts.length;
    const beforeMs = await processorOf(session);
    await act(page);
    await page.waitForTimeout(REST_MS);
    const { acts: after } = await seenIn(page);
    // A reaction below the observer's threshold of 16 ms is not reported.
    reactions.push({
      name,
      ms: Math.max(16, ...after.slice(before)),
      processorMs: await processorOf(session) - beforeMs,
    });
  }
  return {
    paintMs,
    contentMs: opened.contentMs,
    longestTaskMs: Math.max(0, ...opened.tasks),
    processorMs,
    reactions,
  };
}

async function measure(daemon: Daemon, rounds: number): Promise<readonly Figures[]> {
  const origin = `http://127.0.0.1:${daemon.httpPort}`;
  const found = await (await fetch(`${origin}/api/v1/instances?kind=k0&page_size=1`)).json() as {
    instances: readonly { id: string }[];
  };
  const browser = await launchBrowser();
  try {
    const figures: Figures[] = [];
    for (const one of visitsOf(found.instances[0]!.id)) {
      console.error(`${one.name} …`);
      const results: Visited[] = [];
      for (let round = 0; round < rounds; round++) {
        const { page, context } = await openWindow(browser, origin);
        results.push(await visit(page, one));
        await context.close();
      }
      const median = (of: (result: Visited) => number) => quantile(results.map(of), 0.5);
      const [slowest] = one.acts.map(([name], index) => ({
        name,
        ms: median(({ reactions }) => reactions[index]!.ms),
        processorMs: median(({ reactions }) => reactions[index]!.processorMs),
      })).sort((left, right) => right.ms - left.ms);
      figures.push({
        name: one.name,
        paintMs: median(({ paintMs }) => paintMs),
        contentMs: median(({ contentMs }) => contentMs),
        longestTaskMs: median(({ longestTaskMs }) => longestTaskMs),
        processorMs: median(({ processorMs }) => processorMs),
        actMs: slowest!.ms,
        actProcessorMs: slowest!.processorMs,
        act: slowest!.name,
      });
    }
    return figures;
  } finally {
    await browser.close();
  }
}

/** The jobs of the filled store, which hardly ever run: without them their schedules would go. */
function toml(): string {
  const jobs = Array.from(
    { length: KINDS },
    (_, index) => `[jobs.k${index}]\nrun = "true"\nschedule = "${index % 60} 3 1 1 *"\n`,
  );
  return `[server.auth]\nmode = "none"\n${jobs.join("")}`;
}

/** Print a table for docs/performance.md. @returns true if everything is immediate */
function print(figures: readonly Figures[]): boolean {
  const titles = ["page", "first paint", "content", "longest task", "processor"];
  console.log(`| ${[...titles, "slowest reaction", "its processor"].join(" | ")} |`);
  console.log("|---|---|---|---|---|---|---|");
  for (const { name, act, actMs, actProcessorMs, ...opened } of figures) {
    const { paintMs, contentMs, longestTaskMs, processorMs } = opened;
    const numbers = [paintMs, contentMs, longestTaskMs, processorMs].map((ms) => ms.toFixed(0));
    const reaction = `${actMs.toFixed(0)} (${act}) | ${actProcessorMs.toFixed(0)}`;
    console.log(`| ${name} | ${numbers.join(" | ")} | ${reaction} |`);
  }
  return figures.every(({ paintMs, actMs }) => paintMs <= PAINT_MS_MAX && actMs <= ACT_MS_MAX);
}

const { values } = parseArgs({
  options: {
    file: { type: "string" },
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const { file } = values;
if (file === undefined || !existsSync(file)) {
  console.error(`Cannot measure the dashboard on "${file ?? ""}": it needs a filled store`);
  console.error("Fill one with: npm run scale -- --file PATH, and name it: --file PATH");
  process.exit(2);
}
const daemon = await startDaemon({
  toml: toml(),
  env: { JOBCTL_STORE_URL: `sqlite:${file}` },
});
try {
  const figures = await measure(daemon, Number(values.rounds));
  if (values.json) console.log(JSON.stringify({ machine: machine(), figures }, null, 2));
  else process.exitCode = print(figures) ? 0 : 1;
} finally {
  await daemon.stop({ force: true });
}
