import { JobError } from "../../../core/errors.ts";
import { NOTICE_KINDS } from "../../../core/notices/notice.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { JobInstance } from "../../../rpc/gen/job_pb.ts";
import { confirmAll, findMatching } from "../../lookup/confirm.ts";
import { resolveId } from "../../lookup/find_instance.ts";
import { assertKinds } from "../../lookup/lookup.ts";
import { resolveQuery } from "../../lookup/resolve_query.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import {
  assertTimes,
  CONDITIONS,
  conditionsText,
  FILTER_OPTIONS,
  ORIGIN_OPTIONS,
  type QueryInit,
  readQuery,
  TIME_OPTIONS,
} from "../../parsing/query.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";
import { isFinalState, stateName, stateOfName, STATES, unfinishedStates } from "../../io/wire.ts";

const QUERY_WORD = "instances";
const QUERY_WORDS = [QUERY_WORD, "instance"];
const KIND_COMMAND = "jobctl cancel instances --kind KIND";
const UNFINISHED_WORDS = ["waiting", "running"];
const UNFINISHED = STATES.slice(0, 3);
/** Programs use go-job's `cancel instances` with these alone, without confirmation. */
const GO_JOB_CONDITIONS = ["kind", "uuid"];
const CANCEL_CONDITIONS = [...GO_JOB_CONDITIONS, ...CONDITIONS];
const NONE = "No unfinished instance matches";

function isGoJobForm(args: Args): boolean {
  const given = args.given(CANCEL_CONDITIONS);
  return given.length > 0 && given.every((name) => GO_JOB_CONDITIONS.includes(name));
}

async function readCancel(
  args: Args,
  client: JobClient,
): Promise<{ readonly query: QueryInit; readonly isAll: boolean }> {
  const isAll = args.flag("all");
  const given = args.given(CANCEL_CONDITIONS);
  if (isAll && given.length > 0) {
    throw usageError(
      `Cannot use --all with --${given[0]}: they exclude each other`,
      "Without --all, only matching instances are canceled",
    );
  }
  if (!isAll && given.length === 0) {
    throw usageError(
      "Cannot cancel instances: none are selected",
      "Give --uuid, --kind, --state or another condition, or --all for every unfinished instance",
    );
  }
  assertTimes(args);
  const query = await resolveQuery(client, readQuery(args), args);
  const final = args.list("state").find((name) => isFinalState(stateOfName(name)!));
  if (final !== undefined) {
    throw usageError(
      `Cannot cancel instances in state "${final}": a finished instance cannot be canceled`,
      `Unfinished states: ${unfinishedStates().map(stateName).join(", ")}`,
    );
  }
  const uuids = [];
  for (const id of args.list("uuid")) uuids.push(await resolveId(client, id, KIND_COMMAND));
  return { query: { ...query, ...(uuids.length === 1 ? { uuid: uuids[0] } : { uuids }) }, isAll };
}

async function cancelByQuery(args: Args, context: VerbContext): Promise<void> {
  const { io, client, printer } = context;
  const connection = await client();
  const { query, isAll } = await readCancel(args, connection);
  const kinds = args.list("kind");
  // Checked before any is canceled. A single unknown kind matches nothing and is checked later.
  if (kinds.length > 1) await assertKinds(connection, kinds);
  const hasUuid = args.given(["uuid"]).length > 0;
  const states = args.list("state");
  const unfinished = states.length > 0 ? query : { ...query, states: unfinishedStates() };
  // A cancel of everything leaves notices out.
  const isCounted = ({ kind }: JobInstance) => !kind.startsWith(NOTICE_KINDS);
  const matching = {
    noun: "instance",
    action: "cancel",
    which: conditionsText(args),
    ...(kinds.length === 0 && !hasUuid ? { isCounted } : {}),
  };
  if (args.flag("dry-run")) {
    const { instances, text } = await findMatching(connection, unfinished, matching);
    if (instances.length === 0) await assertKinds(connection, kinds);
    await printer.list(INSTANCE_VIEW, instances, NONE);
    return await printer.remark(`Would cancel ${text}`);
  }
  const mustAsk = io.isInteractive ? !hasUuid : !isGoJobForm(args);
  if (mustAsk && !args.flag("yes")) {
    await confirmAll(context, unfinished, { verb: "cancel", ...matching });
  }
  const answer = await connection.cancelInstances({ query, all: isAll });
  const count = Number(answer.count) || answer.instances.length;
  if (count === 0) await assertKinds(connection, kinds);
  await printer.list(INSTANCE_VIEW, answer.instances, NONE);
  if (count > 0) await printer.note(`Canceled ${count}`);
}

async function cancelOne(
  args: Args,
  id: string,
  { client, printer }: VerbContext,
): Promise<void> {
  const given = args.given([...CANCEL_CONDITIONS, "all"]);
  if (given.length > 0) {
    throw usageError(
      `Cannot use --${given[0]} with the id "${makeVisible(id)}": the id already selects one`,
      given[0] === "all"
        ? `To cancel all of one kind, write "jobctl cancel instances --kind ${
          makeVisible(shellWord(id))
        }"; to cancel one instance, write the id alone`
        : `Write "jobctl cancel instances --${given[0]} …", or the id alone`,
    );
  }
  const connection = await client();
  const uuid = await resolveId(connection, id, KIND_COMMAND);
  const isDryRun = args.flag("dry-run");
  const { instances } = isDryRun
    ? await connection.lookupInstances({ query: { uuid, states: unfinishedStates() } })
    : await connection.cancelInstances({ query: { uuid } });
  if (instances.length === 0) {
    const query = { uuid, states: unfinishedStates() };
    const { instances: [open] } = await connection.lookupInstances({ query });
    const why = open === undefined ? "it has already finished" : "its cancel is under way";
    throw new JobError("conflict", `Cannot cancel instance "${uuid}": ${why}`, {
      hint: `See jobctl get instance ${uuid}`,
    });
  }
  await printer.list(INSTANCE_VIEW, instances);
  if (isDryRun) await printer.remark("Would cancel it");
}

/** `jobctl cancel instances …` and `jobctl cancel ID` */
export const CANCEL: Verb = {
  name: "cancel",
  summary: "Cancel one instance, or every unfinished instance that matches",
  details: [
    '"jobctl cancel ID" cancels one. "jobctl cancel instances" cancels the unfinished instances that',
    "match all given conditions, or all with --all. On a terminal it says how many and asks first,",
    "except with --uuid. Elsewhere it needs --yes, except with --uuid and --kind alone. Running",
    "attempts are asked to stop, and killed if they do not. Exit code 6 if the one instance has",
    "already finished. An instance with steps runs once more, to take back what they did, for at most",
    'ten minutes (state "canceling"); cancel it again by its id to end it at once.',
  ].join(" "),
  words: [{
    name: "TARGET",
    describe: `An id or a part of one, last or last:KIND, or the word "${QUERY_WORD}"; ` +
      "not needed with --flow",
    offers: "unfinished",
    suggests: [QUERY_WORD],
    isOptionalWith: "flow",
  }, {
    name: "ID",
    describe: `After the word "instance": the id`,
    offers: "unfinished",
    isOptional: true,
  }],
  options: {
    ...FILTER_OPTIONS,
    state: {
      value: "STATE",
      describe: `In this state: ${UNFINISHED_WORDS.join(", ")}, or ${UNFINISHED.join(", ")}`,
      suggests: [...UNFINISHED_WORDS, ...UNFINISHED],
    },
    uuid: {
      value: "ID",
      alias: "u",
      describe: "With this id, or any unambiguous part of it",
      offers: "unfinished",
    },
    ...ORIGIN_OPTIONS,
    ...TIME_OPTIONS,
    all: { describe: "Every unfinished instance", isFlag: true },
    "dry-run": { describe: "Only show which instances would be canceled", isFlag: true },
    yes: { alias: "y", describe: "Do not ask", isFlag: true },
  },
  examples: [
    ["jobctl cancel 01938f2c-7d3e", "One instance"],
    ["jobctl cancel instances --kind report", "Every unfinished run of a job"],
    ["jobctl cancel instances --all --dry-run", "What this would cancel"],
    [
      "jobctl cancel instances --state waiting --yes",
      "Empty the queue, but leave running instances",
    ],
    ["jobctl cancel --flow last:nightly", "A run with all that it called, and that those called"],
  ],
  run(args, context) {
    const [target, id] = [args.word("TARGET"), args.word("ID")];
    const isNoun = QUERY_WORDS.includes(target) || args.words("TARGET").length === 0;
    if (id === "") {
      return isNoun ? cancelByQuery(args, context) : cancelOne(args, target, context);
    }
    if (isNoun) return cancelOne(args, id, context);
    throw usageError(
      `Cannot cancel "${makeVisible(target)}" and "${makeVisible(id)}": wanted one id`,
      "Cancel several by jobctl cancel instances --uuid ID --uuid ID",
    );
  },
};
