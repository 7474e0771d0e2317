import { JobError } from "../../../core/errors.ts";
import { didYouMean } from "../../../core/text/nearest.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { Incident } from "../../../rpc/gen/job_pb.ts";
import { collect, listIncidents, present } from "../../lookup/lookup.ts";
import { usageError } from "../../parsing/args.ts";
import type { Verb } from "../../verb/verb.ts";
import { incidentText, subjectText } from "../../views/notice_views.ts";

const ID_PREFIX = /^[0-9a-f-]{4,36}$/;
/** Most incidents named in the error for an ambiguous word. */
const NAMED_MAX = 3;

/** `jobctl ack INCIDENT` */
export const ACK: Verb = {
  name: "ack",
  summary: "Acknowledge an open incident, which stops its reminders; take that back; or close it",
  details: [
    "The recovery and the next incident are still reported. Your name is shown in jobctl incidents",
    "and in notices. If several incidents match, none is acknowledged. Anybody who may acknowledge an",
    "incident may also take back the acknowledgment of somebody else. --close is for a problem that",
    "is over or will never recover, such as of a removed job: nobody is notified.",
  ].join(" "),
  words: [{
    name: "INCIDENT",
    describe: "Kind of a job, or node:NAME, channel:NAME, store, daemon, or the first 4 or more " +
      "characters of the id",
    offers: "incident",
  }],
  options: {
    undo: { describe: "Take the acknowledgment back: reminders are sent again", isFlag: true },
    close: { describe: "Close the incident now, without a notice of recovery", isFlag: true },
  },
  examples: [
    ["jobctl ack backup", "The incident of a job"],
    ["jobctl ack node:web1", "The incident of a node"],
    ["jobctl ack backup --undo", "Nobody is working on it after all"],
    ["jobctl ack node:web1 --close", "The node will not return"],
  ],
  async run(args, { client, printer }) {
    const [undo, close] = [args.flag("undo"), args.flag("close")];
    if (undo && close) {
      throw usageError(
        "Cannot use --undo with --close: they exclude each other",
        "Give only one of them",
      );
    }
    const connection = await client();
    const what = close
      ? "close the incident of"
      : undo
      ? "take back the acknowledgment of"
      : "acknowledge";
    const word = args.word("INCIDENT");
    const { type, name, id } = await findIncident(connection, word, what);
    // With the id, so that another incident opened meanwhile is not acknowledged unseen.
    const response = await connection.acknowledgeIncident({ type, name, id, undo, close });
    const incident = present(response.incident, `Cannot ${what} "${makeVisible(word)}"`);
    if (close && incident.closedAt === undefined) {
      throw new JobError("unimplemented", `Cannot ${what} "${makeVisible(word)}": it stays open`, {
        hint: "The daemon is older than this jobctl and acknowledged it: upgrade the daemon",
      });
    }
    const text = incidentText(incident, printer);
    const line = close
      ? `Closed ${text}`
      : undo
      ? response.changed ? `No longer acknowledged: ${text}` : `Was not acknowledged: ${text}`
      : response.changed
      ? `Acknowledged ${text}`
      : `Already acknowledged: ${text}`;
    await printer.details((of) => of(incident), incident.id, [line]);
    if (!response.changed && !printer.isHuman) await printer.note(line);
  },
};

/**
 * The one open incident that a word names.
 *
 * @param what phrase in errors for the failed action
 * @throws JobError `not_found`, `invalid_argument`
 */
async function findIncident(client: JobClient, word: string, what: string): Promise<Incident> {
  const open = await collect(listIncidents(client, { withClosed: false }));
  const [found, ...others] = open.filter((incident) => isNamed(incident, word));
  const shown = makeVisible(word);
  if (found === undefined) {
    throw new JobError("not_found", `Cannot ${what} "${shown}": it has no open incident`, {
      hint: didYouMean(word, open.map(subjectText)) ?? "List open incidents with: jobctl incidents",
    });
  }
  if (others.length === 0) return found;
  const named = [found, ...others].slice(0, NAMED_MAX).map(({ id, type, name }) =>
    `${id} (${makeVisible(`${type}:${name}`)})`
  );
  throw usageError(
    `Cannot ${what} "${shown}": ${others.length + 1} open incidents match`,
    `Give the id of one: ${named.join(", ")}`,
  );
}

function isNamed({ type, name, id }: Incident, word: string): boolean {
  if (type === "job" && name === word) return true;
  if (`${type}:${name}` === word) return true;
  // A store has one of each, or a few at most.
  if ((type === "store" || type === "daemon") && type === word) return true;
  const prefix = word.toLowerCase();
  return ID_PREFIX.test(prefix) && id.startsWith(prefix);
}
