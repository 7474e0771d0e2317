import { sleep } from "../../platform/clock.ts";
import type { LogEntry } from "../../rpc/gen/job_pb.ts";
import { findInstance, pages, resolveId } from "../lookup.ts";
import type { JobClient } from "../session.ts";
import type { Verb, VerbContext } from "../verb.ts";
import { LOG_VIEW } from "../views/record_views.ts";
import { isFinalState, msOf, timestampOf } from "../wire.ts";

const FOLLOW_INTERVAL_MS = 500;
/** Lines are asked for again from so long before the last one, as workers may write with a delay. */
const FOLLOW_OVERLAP_MS = 10_000;
const LEVELS = ["debug", "info", "warn", "error"];

interface LogRequest {
  readonly uuid: string;
  readonly level: string | undefined;
}

function lookupLogs(
  client: JobClient,
  request: LogRequest,
  afterMs?: number,
): AsyncGenerator<LogEntry> {
  const after = afterMs === undefined ? undefined : timestampOf(afterMs);
  return pages(null, async (pageSize, pageToken) => {
    const answer = await client.lookupInstanceLogs({
      query: { uuid: request.uuid, after, pageSize, pageToken, oldestFirst: true },
      level: request.level,
    });
    return { items: answer.entries, nextPageToken: answer.nextPageToken };
  });
}

// Attempts and the numbers of their entries only rise.
function isAfter(entry: LogEntry, last: LogEntry | null): boolean {
  if (!last) return true;
  return entry.attempt > last.attempt ||
    (entry.attempt === last.attempt && entry.seq > last.seq);
}

async function* followLogs(
  client: JobClient,
  request: LogRequest,
  { io }: VerbContext,
): AsyncGenerator<LogEntry> {
  let last: LogEntry | null = null;
  while (true) {
    // Asked for before the log, so that what a final instance wrote last is not missed.
    const { state } = await findInstance(client, request.uuid);
    const lastMs = msOf(last?.at);
    const afterMs = lastMs === undefined ? undefined : lastMs - FOLLOW_OVERLAP_MS;
    for await (const entry of lookupLogs(client, request, afterMs)) {
      if (!isAfter(entry, last)) continue;
      last = entry;
      yield entry;
    }
    if (isFinalState(state)) return;
    await sleep(io.clock, FOLLOW_INTERVAL_MS);
  }
}

/** `jobctl logs ID` */
export const LOGS: Verb = {
  name: "logs",
  summary: "Show the log of an instance, the oldest line first",
  details: "What the job printed and logged, and the daemon's notes on it.",
  words: [{ name: "ID", describe: "Id of the instance, or a beginning that no other has" }],
  options: {
    level: { describe: `This level and above: ${LEVELS.join(", ")}`, choices: LEVELS },
    follow: { alias: "f", describe: "Go on until the instance is final", isFlag: true },
  },
  examples: [
    ["jobctl logs 01938f2c-7d3e --level warn", "Warnings and errors of one run"],
    ["jobctl logs 01938f2c-7d3e -f", "Watch a run"],
  ],
  isClient: true,
  async run(args, context) {
    const level = args.text("level");
    const client = await context.client();
    const request = { uuid: await resolveId(client, args.word("ID")), level };
    if (!args.flag("follow")) {
      await context.printer.list(LOG_VIEW, lookupLogs(client, request));
      return 0;
    }
    await context.printer.stream(LOG_VIEW, followLogs(client, request, context));
    return 0;
  },
};
