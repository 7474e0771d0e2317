import { confirmAll, findMatching } from "../../lookup/confirm.ts";
import { resolveId } from "../../lookup/find_instance.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import { assertKinds, collect, lookupInstances } from "../../lookup/lookup.ts";
import { resolveQuery } from "../../lookup/resolve_query.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import {
  assertDeadStates,
  assertTimes,
  CONDITIONS,
  conditionsText,
  DEAD_STATE_OPTION,
  failedStates,
  ORIGIN_OPTIONS,
  type QueryInit,
  readQuery,
  TIME_OPTIONS,
} from "../../parsing/query.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";

function assertCombination(args: Args): void {
  assertTimes(args);
  assertDeadStates(args, "redrive");
  const ids = args.words("ID");
  const given = args.given(CONDITIONS);
  const isAll = args.flag("all");
  if (ids.length > 0 && (isAll || given.length > 0)) {
    throw usageError(
      `Cannot use --${isAll ? "all" : given[0]} with ids: the ids already select them`,
      "Give ids, or conditions",
    );
  }
  if (isAll && given.length > 0) {
    throw usageError(
      `Cannot use --all with --${given[0]}: they exclude each other`,
      "Without --all, only matching dead letters are run again",
    );
  }
  if (ids.length === 0 && !isAll && given.length === 0) {
    throw usageError(
      "Cannot redrive dead letters: none are selected",
      "Give ids, --kind or another condition, or --all; see jobctl list dead",
    );
  }
  if (args.flag("force") && ids.length === 0) {
    throw usageError(
      "Cannot use --force without ids: a redriven instance is no longer a dead letter",
      "Name the instances",
    );
  }
}

/** Number of these that were already run again, and are skipped. Only for the note. */
async function countRedriven(
  uuids: readonly string[],
  client: JobClient,
  { args, context }: { readonly args: Args; readonly context: VerbContext },
): Promise<number> {
  if (uuids.length === 0 || args.flag("force") || !context.io.isTerminal) return 0;
  const found = await collect(lookupInstances(client, { uuids: [...uuids] }, null));
  return found.filter(({ redrivenAs }) => redrivenAs !== undefined).length;
}

/** `jobctl redrive [ID…]` */
export const REDRIVE: Verb = {
  name: "redrive",
  summary: "Run dead letters again, each once, as new instances with the same arguments",
  details: [
    "Once it has been run again, an instance is no longer a dead letter. A second call with its",
    "id returns the instance that the first call created, unless --force is given. Without ids it says",
    "how many match and asks first on a terminal. Elsewhere it needs --yes.",
  ].join(" "),
  words: [{
    name: "ID",
    describe: "Ids of dead letters, any unambiguous parts of them, last or last:KIND",
    offers: "dead",
    isOptional: true,
    isRest: true,
  }],
  options: {
    kind: {
      value: "KIND",
      alias: "k",
      describe: "Every dead letter of this kind; separate several by commas, or repeat the option",
      offers: "kinds",
    },
    state: DEAD_STATE_OPTION,
    tag: { value: "TAG", describe: "Every dead letter of this daemon's jobs that need this tag" },
    ...ORIGIN_OPTIONS,
    ...TIME_OPTIONS,
    all: { describe: "Every dead letter", isFlag: true },
    force: { describe: "Also run instances that were already run again", isFlag: true },
    "dry-run": { describe: "Only show which instances would be run again", isFlag: true },
    yes: { alias: "y", describe: "Do not ask", isFlag: true },
  },
  examples: [
    ["jobctl redrive 01938f2c-7d3e", "One; its redriven_as is then the new instance"],
    ["jobctl redrive --kind import --yes", "All of one job, once its fault is fixed"],
    ["jobctl redrive --all --dry-run", "What the next command would run again"],
    ["jobctl redrive --all", "Everything, after confirmation"],
  ],
  async run(args, context) {
    assertCombination(args);
    const connection = await context.client();
    const uuids: string[] = [];
    for (const id of args.words("ID")) {
      uuids.push(await resolveId(connection, id, "jobctl redrive --kind KIND"));
    }
    await assertKinds(connection, args.list("kind"));
    const query: QueryInit = uuids.length > 0
      ? { uuids }
      : await resolveQuery(connection, readQuery(args), args);
    const dead = args.flag("force")
      ? { ...query, states: failedStates() }
      : { ...query, dead: true };
    const which = conditionsText(args);
    const matching = { noun: "dead letter", which, action: "redrive" };
    if (args.flag("dry-run")) {
      const { instances, text } = await findMatching(connection, dead, matching);
      await context.printer.list(INSTANCE_VIEW, instances, "No dead letter matches");
      return await context.printer.remark(`Would redrive ${text}`);
    }
    if (uuids.length === 0 && !args.flag("yes")) {
      await confirmAll(context, dead, { verb: "redrive", ...matching });
    }
    const before = await countRedriven(uuids, connection, { args, context });
    const answer = await connection.redriveInstances({
      query,
      all: args.flag("all"),
      force: args.flag("force"),
    });
    await context.printer.list(INSTANCE_VIEW, answer.instances);
    const count = Number(answer.count) || answer.instances.length;
    const earlier = before === 0 ? "" : `; ${before} had been redriven before`;
    await context.printer.note(`Redriven ${count - before}${earlier}`);
  },
};
