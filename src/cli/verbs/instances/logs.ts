import { LOG_LEVELS } from "../../../core/instance.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { LogEntry } from "../../../rpc/gen/job_pb.ts";
import { EXIT } from "../../exit_codes.ts";
import { followSteps, type FollowTarget, withInterrupt } from "../../follow.ts";
import { assertKinds, findInstance, lookupHistory, pages } from "../../lookup.ts";
import { type Args, assertOneOf, usageError } from "../../parsing/args.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import type { Verb, VerbContext } from "../../verb.ts";
import { HISTORY_VIEW, LOG_VIEW, LOGS_VIEW } from "../../views/record_views.ts";
import { timestampOf } from "../../wire.ts";

function lookupLogs(
  client: JobClient,
  { uuid, kind, level }: FollowTarget,
  afterMs: number | undefined,
): AsyncGenerator<LogEntry> {
  const after = timestampOf(afterMs);
  return pages(null, async (pageSize, pageToken) => {
    const answer = await client.lookupInstanceLogs({
      query: { uuid, kind, after, pageSize, pageToken, oldestFirst: true },
      level,
    });
    return { items: answer.entries, nextPageToken: answer.nextPageToken };
  });
}

async function* entriesOf(
  client: JobClient,
  target: FollowTarget,
  context: VerbContext & { readonly signal: AbortSignal },
): AsyncGenerator<LogEntry> {
  for await (const { entries } of followSteps(client, target, context)) yield* entries;
}

function assertCombination(args: Args): boolean {
  assertOneOf(args, ["follow", "since"]);
  const hasId = args.word("ID") !== "";
  if (!hasId || args.given(["kind"]).length === 0) return hasId;
  throw usageError("Cannot use an id with --kind: they exclude each other", "Give one of them");
}

// The daemon follows one kind, or all.
function readKind(args: Args): string | undefined {
  const kinds = args.list("kind");
  if (kinds.length < 2) return kinds[0];
  throw usageError(
    `Cannot show the log of kinds ${kinds.map((kind) => `"${kind}"`).join(" and ")}: wanted one`,
    'Give one --kind, or none for all; a comma of the kind itself is written "\\,"',
  );
}

/** `jobctl logs [ID]` */
export const LOGS: Verb = {
  name: "logs",
  summary: "Show the log of an instance, of a kind or of all, the oldest line first",
  details: [
    "The log has what the job printed and logged, and the daemon's notes on it. With -f and no",
    "ID, only lines written from now on are shown. If the daemon restarts, -f waits for it and",
    "continues where it left off.",
  ].join(" "),
  words: [{
    name: "ID",
    describe: "Id of the instance, or an unambiguous prefix of it (default: all instances)",
    offers: "instance",
    isOptional: true,
  }],
  options: {
    kind: {
      value: "KIND",
      describe: "Only instances of this kind (default: all kinds)",
      offers: "kind",
    },
    since: {
      value: "TIME",
      describe: 'Lines from this time onwards: "-2h", "09:00", "2026-11-24"',
    },
    level: {
      value: "LEVEL",
      describe: `This level and above: ${LOG_LEVELS.join(", ")}`,
      choices: LOG_LEVELS,
    },
    follow: {
      alias: "f",
      describe: "Keep printing new lines until the instance has ended",
      isFlag: true,
    },
    ...FIELDS_OPTION,
  },
  examples: [
    ["jobctl logs 01938f2c-7d3e --level warn", "Warnings and errors of one run"],
    ["jobctl logs 01938f2c-7d3e -f", "Watch a run"],
    ["jobctl logs -f --kind report", "Watch every run of a job"],
    ["jobctl logs --since -1h --level error", "What went wrong in the last hour"],
  ],
  async run(args, context) {
    const level = args.text("level");
    const kind = readKind(args);
    const sinceMs = args.timeMs("since", "past");
    const hasId = assertCombination(args);
    const client = await context.client();
    const uuid = hasId
      ? (await findInstance(client, args.word("ID"), "jobctl logs --kind")).uuid
      : undefined;
    if (kind !== undefined) await assertKinds(client, [kind]);
    const view = hasId ? LOG_VIEW : LOGS_VIEW;
    if (!args.flag("follow")) {
      return await context.printer.list(view, lookupLogs(client, { uuid, kind, level }, sinceMs));
    }
    return await withInterrupt(context, async (signal) => {
      const target = { uuid, kind, level, fromNow: !hasId };
      await context.printer.stream(view, entriesOf(client, target, { ...context, signal }));
      return signal.aborted ? EXIT.interrupted : EXIT.ok;
    });
  },
};

/** `jobctl history ID` */
export const HISTORY: Verb = {
  name: "history",
  summary: "Show the states that an instance went through, the oldest first",
  words: [{
    name: "ID",
    describe: "Id of the instance, or an unambiguous prefix of it",
    offers: "instance",
  }],
  options: FIELDS_OPTION,
  examples: [["jobctl history 01938f2c-7d3e", "Each change of state with its time and reason"]],
  async run(args, { client, printer }) {
    const connection = await client();
    const id = args.word("ID");
    const { uuid } = await findInstance(connection, id, "jobctl list instances --kind");
    await printer.list(HISTORY_VIEW, lookupHistory(connection, uuid, null));
  },
};
