import type { Page } from "playwright-core";

/** What the DevTools protocol reports of one task of a page. */
interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Processor time of the thread, in microseconds. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/**
 * The longest tasks of a page's main thread while something is done, in milliseconds, the longest
 * first. It is processor time: other work on the machine does not count.
 */
export async function longestTasks(page: Page, act: () => Promise<void>): Promise<number[]> {
  const browser = page.context().browser()!;
  const categories = ["disabled-by-default-devtools.timeline", "toplevel", "__metadata"];
  await browser.startTracing(page, { categories });
  let trace = "";
  try {
    await act();
  } finally {
    trace = (await browser.stopTracing()).toString("utf8");
  }
  const { traceEvents } = JSON.parse(trace) as { readonly traceEvents: readonly TraceEvent[] };
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`;
  const main = new Set(
    traceEvents.filter(({ name, args }) =>
      name === "thread_name" && args?.name === "CrRendererMain"
    ).map(threadOf),
  );
  return traceEvents
    .filter((event) => event.tdur !== undefined && main.has(threadOf(event)))
    .map(({ tdur }) => tdur! / 1_000).sort((a, b) => b - a).slice(0, 10);
}
