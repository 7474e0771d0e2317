import { EXIT } from "../../io/exit_codes.ts";
import type { PlainRecord } from "../../output/view.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { showProgress, STORE_OPTIONS, storePlace } from "../../verb/store_work.ts";
import type { Verb } from "../../verb/verb.ts";

const SECONDS_DEFAULT = 2;
const SECONDS_MAX = 3_600;

/** `jobctl selftest` */
export const SELFTEST: Verb = {
  name: "selftest",
  summary: "Test and measure a store on your own server",
  details: [
    "Runs every case of the conformance suite, with contention over several connections. Then it",
    "prints which guarantees held, and measures round trips. The exit code is 1 if a guarantee",
    "did not hold. It works in a scratch namespace (for SQLite and modules, a scratch folder",
    "beside the file) and removes it at the end. Nothing else there is read or written.",
  ].join(" "),
  options: {
    config: STORE_OPTIONS.config!,
    store: {
      value: "URL",
      describe: "URL of the store to test (default: that of the configuration)",
    },
    seconds: {
      value: "N",
      describe: `How long round trips are measured (default ${SECONDS_DEFAULT})`,
    },
  },
  examples: [
    ["jobctl selftest --store valkey://host:6379", "Before the first daemon uses it"],
    [
      "jobctl selftest --store sqlite:/srv/jobs.db --seconds 10",
      "On the disk that the store will be on",
    ],
  ],
  isOffline: true,
  async run(args, { io, printer }) {
    const seconds = args.integer("seconds", { min: 1, max: SECONDS_MAX }) ?? SECONDS_DEFAULT;
    const { loadStoreConfig } = await import("../../../maintenance/configured.ts");
    const { selftest } = await import("../../../selftest/selftest.ts");
    const { systemRandom } = await import("../../../platform/random.ts");
    const config = await loadStoreConfig(storePlace(args, io));
    const abort = new AbortController();
    const stopListening = io.onInterrupt?.(() => abort.abort());
    const written: Promise<void>[] = [];
    const result = await selftest({
      config,
      clock: io.clock,
      random: systemRandom,
      measureMs: seconds * 1_000,
      progress: (text) => void written.push(showProgress(text, args, io)),
      signal: abort.signal,
    }).finally(() => stopListening?.());
    await Promise.all(written);
    await printer.details(record(result), "selftest", lines(result, printer.paint, abort.signal));
    if (abort.signal.aborted) return EXIT.interrupted;
    return result.isGood ? EXIT.ok : EXIT.error;
  },
};

type Result = Awaited<ReturnType<typeof import("../../../selftest/selftest.ts").selftest>>;

function record({ store, verdicts, latencies, isGood }: Result): PlainRecord {
  return {
    store,
    is_good: isGood,
    guarantees: verdicts.map(({ guarantee, cases, failures, tookMs }) => ({
      guarantee,
      held: failures.length === 0,
      cases,
      took_ms: tookMs,
      failures: failures.map(({ name, message }) => ({ name, message })),
    })),
    latencies: latencies.map(({ operation, count, p50Ms, p99Ms }) => ({
      operation,
      count,
      p50_ms: p50Ms,
      p99_ms: p99Ms,
    })),
  };
}

function lines(
  { store, verdicts, latencies, isGood }: Result,
  paint: (text: string, style: "good" | "bad") => string,
  { aborted }: AbortSignal,
): string[] {
  const rows = verdicts.map(({ guarantee, cases, failures, tookMs }) => {
    const word = failures.length === 0 ? paint("held", "good") : paint("broken", "bad");
    return `  ${word}  ${guarantee} (${cases} cases, ${tookMs} ms)`;
  });
  const broken = verdicts.flatMap(({ failures }) =>
    failures.map(({ name, message }) => `  ${makeVisible(name)}: ${makeVisible(message)}`)
  );
  const times = latencies.map(({ operation, count, p50Ms, p99Ms }) =>
    `  ${operation}: p50 ${p50Ms} ms, p99 ${p99Ms} ms (${count})`
  );
  return [
    `Guarantees of ${makeVisible(store)}:`,
    ...rows,
    ...(broken.length > 0 ? ["Broken:", ...broken] : []),
    "Round trips:",
    ...times,
    aborted && broken.length === 0
      ? "Interrupted: the rest was not tried."
      : isGood
      ? "Every guarantee held."
      : "Not every guarantee held: do not use it.",
  ];
}
