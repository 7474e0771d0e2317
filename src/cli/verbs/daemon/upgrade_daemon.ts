import { isJobError } from "../../../core/errors.ts";
import { countText } from "../../../core/text/count_text.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { roughDuration } from "../../../core/time/duration.ts";
import { sleep } from "../../../platform/clock.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { GetStatusResponse } from "../../../rpc/gen/job_pb.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { unlessInterrupted, withInterrupt } from "../../verb/follow.ts";
import { writeMessage } from "../../parsing/written_file.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { msOf } from "../../io/wire.ts";

/** Longest wait for the daemon to load thousands of jobs from its new file. */
const TRY_MS_MAX = 120_000;
/** Longest wait for the new daemon once nothing is left to wait for. */
const START_MS_MAX = 60_000;
const LOOK_EVERY_MS = 50;
const AWAY = "if jobctl status does not find it either, its log says why";

/** The responder: a new daemon, the old one, or none. */
type Answer = "new" | "old" | "none";

interface WaitEnd {
  readonly why: "upgraded" | "timeout" | "interrupted";
  /** The last answer. */
  readonly answer: Answer;
}

async function ask(client: JobClient, before: GetStatusResponse): Promise<Answer> {
  try {
    const { startedAt } = await client.getStatus({});
    return msOf(startedAt) === msOf(before.startedAt) ? "old" : "new";
  } catch (error) {
    // Nobody listens for a moment. If its token was new at each start, so is the daemon.
    if (isJobError(error, "unauthenticated")) return "new";
    if (isJobError(error, "unavailable") || isJobError(error, "timeout")) return "none";
    throw error;
  }
}

async function waitForNew(
  client: JobClient,
  before: GetStatusResponse,
  { io, signal, timeoutMs }: Pick<VerbContext, "io"> & {
    readonly signal: AbortSignal;
    readonly timeoutMs: number;
  },
): Promise<WaitEnd> {
  const now = () => io.clock.now().monotonicMs;
  const endMs = now() + timeoutMs;
  for (;;) {
    const answer = await ask(client, before);
    if (answer === "new") return { why: "upgraded", answer };
    if (signal.aborted) return { why: "interrupted", answer };
    if (now() >= endMs) return { why: "timeout", answer };
    await sleep(io.clock, LOOK_EVERY_MS, signal);
  }
}

/** Why the old program responds again; null if it is the new one. */
async function failureOf(client: JobClient, version: string): Promise<string | null> {
  try {
    const found = await client.getStatus({});
    // Older programs do not report the reason.
    return found.upgradeProblem ?? (found.version === version ? null : "its log says why");
  } catch {
    // Its token is new, and so is the daemon.
    return null;
  }
}

/** `jobctl upgrade-daemon` */
export const UPGRADE_DAEMON: Verb = {
  name: "upgrade-daemon",
  summary: "Let the daemon hand over to a new version of its file",
  details: [
    "Replace the program's file first. The daemon tries the new file: it must load the",
    "configuration and all modules, and know the format of a SQLite store. If it does not start, the",
    "daemon continues as it was, and this command says why. Otherwise running attempts of modules",
    "have worker.drain, or the drain of their job, to end. Commands run on, and the new daemon, which",
    "keeps the process id, adopts them. Clients that follow a log or wait for an instance continue.",
    "Only on Linux with glibc; elsewhere, restart the daemon.",
  ].join(" "),
  options: {
    node: { value: "NAME", describe: "Upgrade the daemon only if it is this node" },
    "wait-timeout": { value: "DURATION", describe: "Wait no longer than this: exit code 124" },
  },
  examples: [
    ["sudo jobctl upgrade-daemon", "After its file was replaced"],
    ["jobctl upgrade-daemon --node web-1", "In a script: no other node"],
  ],
  async run(args, context) {
    const { io, printer } = context;
    const client = await context.client();
    const before = await client.getStatus({});
    const { version: from } = await client.getVersion({});
    const timeoutMs = args.given(["call-timeout"]).length > 0 ? undefined : TRY_MS_MAX;
    const asked = { node: args.text("node") ?? before.node };
    const asking = client.upgradeDaemon(asked, { timeoutMs });
    const { version, waiting, drainMs } = await unlessInterrupted(
      context,
      asking,
      "jobctl status",
    );
    const node = makeVisible(before.node);
    const to = makeVisible(version);
    if (waiting > 0) {
      const what = countText(waiting, "running instance");
      const text = `Waiting for ${what} of modules, for ${roughDuration(Number(drainMs))} at most`;
      await writeMessage(io, text);
    }
    const limitMs = args.durationMs("wait-timeout") ?? Number(drainMs) + START_MS_MAX;
    const { why, answer } = await withInterrupt(
      context,
      (signal) => waitForNew(client, before, { io, signal, timeoutMs: limitMs }),
    );
    const hasEnded = why === "upgraded";
    const problem = hasEnded ? await failureOf(client, version) : null;
    const isDone = hasEnded && problem === null;
    const cause = problem === null ? {} : { problem };
    const record = { node: before.node, from, to: version, is_upgraded: isDone, ...cause };
    const line = isDone
      ? `Upgraded node ${node} from ${makeVisible(from)} to ${to}`
      : problem !== null
      ? `Node ${node} runs ${makeVisible(from)} again: the upgrade failed: ${makeVisible(problem)}`
      : answer === "none"
      ? `Node ${node} does not respond since it began to hand over to ${to}: ${AWAY}`
      : `Node ${node} continues to hand over to ${to}: jobctl status shows when it has`;
    await printer.details(record, before.node, [line]);
    if (hasEnded) return isDone ? EXIT.ok : EXIT.error;
    return why === "timeout" ? EXIT.timedOut : EXIT.interrupted;
  },
};
