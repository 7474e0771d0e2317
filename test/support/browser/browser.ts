import assert from "node:assert/strict";
import process from "node:process";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { programPath, skipWithout } from "../../../scripts/programs/install.mjs";

/** Debian's Chromiums. The one without windows starts faster. */
const CHROMIUM = "chromium-headless-shell|chromium";
/** Longest wait for something to appear: machines under test are busy. */
const APPEAR_MS_MAX = 30_000;

/** Types of what a browser writes to its console if something is wrong. */
const PROBLEM_TYPES: ReadonlySet<string> = new Set(["error", "warning"]);

/** Why tests in a browser are skipped; false if they are not. */
export const WITHOUT_BROWSER: string | false = process.env.CHROMIUM === undefined
  ? skipWithout(CHROMIUM)
  : false;

/** A window on a daemon: with what went wrong in it. */
export interface Window {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors and warnings of the browser, violations of the policy, and requests to other hosts. */
  readonly problems: string[];
}

/** Options of {@link openWindow}. */
export interface WindowOptions {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: "light" | "dark";
  readonly timezone?: string;
  /** Texts in errors that the test provokes. */
  readonly expected?: RegExp;
}

/** Start a browser. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? programPath(CHROMIUM),
    args: [
      // Tests may run as root, in containers with little shared memory.
      ...["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
      // Names lead nowhere.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
}

/** Open a window whose network ends at one origin. */
export async function openWindow(
  browser: Browser,
  origin: string,
  options: WindowOptions = {},
): Promise<Window> {
  const { width = 1_280, height = 800, scheme = "light", timezone = "UTC", expected } = options;
  const context = await browser.newContext({
    baseURL: origin,
    viewport: { width, height },
    colorScheme: scheme,
    timezoneId: timezone,
    locale: "en-GB",
    reducedMotion: "reduce",
  });
  context.setDefaultTimeout(APPEAR_MS_MAX);
  const problems: string[] = [];
  // Watched, not routed: with a route, Chromium asks about each request and keeps no cache.
  context.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) problems.push(`request to ${request.url()}`);
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(String(error.stack ?? error)));
  page.on("console", (message) => {
    const text = `${message.text()} ${message.location().url}`;
    if (!PROBLEM_TYPES.has(message.type()) || expected?.test(text) === true) return;
    problems.push(text);
  });
  return { page, context, problems };
}

/** Close a window in which nothing may have gone wrong. */
export async function closeWindow({ context, problems }: Window): Promise<void> {
  await context.close();
  assert.deepEqual(problems, []);
}
