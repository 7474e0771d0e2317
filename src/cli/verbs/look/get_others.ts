import { orElseIf } from "../../../core/or_else.ts";
import { JobError } from "../../../core/errors.ts";
import { didYouMean } from "../../../core/text/nearest.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { Node, Schedule, Step } from "../../../rpc/gen/job_pb.ts";
import { resolveId } from "../../lookup/find_instance.ts";
import { findSchedule } from "../../lookup/lookup.ts";
import type { Printer } from "../../output/printer.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import type { Verb } from "../../verb/verb.ts";
import { nodeLines, scheduleLines } from "../../views/details.ts";
import { NODE_VIEW } from "../../views/node_view.ts";
import { STEP_VIEW } from "../../views/step_view.ts";
import { SCHEDULE_VIEW } from "../../views/schedule_view.ts";

/** Most children of one call that are shown to people. */
const MEMBERS_MAX = 20;

/** The verb for a schedule of a group: `jobctl get schedule`. */
export function scheduleVerb(group: string): Verb {
  return {
    name: "schedule",
    summary: "Show one recurring schedule, with all of its options",
    watches: "everything",
    words: [{
      name: "ID",
      describe: "Its id, or any unambiguous part of it",
      offers: "schedule",
    }],
    options: FIELDS_OPTION,
    examples: [[
      `jobctl ${group} schedule config:report:0`,
      "The first schedule of a job of the configuration",
    ]],
    async run(args, { client, printer }) {
      await showSchedule(await findSchedule(await client(), args.word("ID")), printer);
    },
  };
}

/** The verb for the steps of an instance: `jobctl get steps`. */
export function stepsVerb(group: string): Verb {
  return {
    name: "steps",
    summary: "Show the steps, waits, children and signals of an instance, with their results",
    watches: "everything",
    words: [{
      name: "ID",
      describe: "Id of the instance, any unambiguous part of it, last, or last:KIND",
      offers: "instance",
    }],
    options: FIELDS_OPTION,
    examples: [[`jobctl ${group} steps last:order`, "How far the last order has come"]],
    async run(args, { client, printer }) {
      const connection = await client();
      const uuid = await resolveId(connection, args.word("ID"), `jobctl ${group} steps last:KIND`);
      const { steps } = await connection.listSteps({ uuid });
      const shown = printer.isHuman ? withoutMany(steps) : steps;
      await printer.list(STEP_VIEW, shown, "It has recorded no steps");
    },
  };
}

/** The steps without the members of large calls: the line of all has their count. */
function withoutMany(steps: readonly Step[]): readonly Step[] {
  const calls = new Set(steps.flatMap(({ type, key }) => type === "children" ? [key] : []));
  const callOf = ({ key }: Step) => key.slice(0, Math.max(0, key.lastIndexOf("/")));
  const counts = new Map<string, number>();
  for (const step of steps) counts.set(callOf(step), (counts.get(callOf(step)) ?? 0) + 1);
  return steps.filter((step) => {
    const call = callOf(step);
    return !calls.has(call) || counts.get(call)! <= MEMBERS_MAX;
  });
}

/** The verb for a node of a group: `jobctl get node`. */
export function nodeVerb(group: string): Verb {
  return {
    name: "node",
    summary: "Show one of the daemons on the store, with all that is known of it",
    watches: "everything",
    words: [{
      name: "ID",
      describe: "Its id: node.id of its configuration, or its host's name",
      offers: "node",
    }],
    options: FIELDS_OPTION,
    examples: [[`jobctl ${group} node berlin-2 -o yaml`, "Everything about a node, with its jobs"]],
    async run(args, { client, printer }) {
      const id = args.word("ID");
      const { nodes } = await (await client()).listNodes({});
      const node = nodes.find((one) => one.id === id);
      if (node) return await showNode(node, printer);
      throw new JobError("not_found", `Cannot get node "${id}": no such node in the last hour`, {
        hint: didYouMean(id, nodes.map((one) => one.id)) ?? "List them with: jobctl list nodes",
      });
    },
  };
}

/**
 * Show the schedule or the node with an id.
 *
 * @returns false if there is neither
 * @throws JobError `invalid_argument` if several schedules have the part
 */
export async function showOther(
  id: string,
  client: JobClient,
  printer: Printer,
): Promise<boolean> {
  const { nodes } = await client.listNodes({});
  const node = nodes.find((one) => one.id === id);
  if (node) {
    await showNode(node, printer);
    return true;
  }
  const schedule = await orElseIf(findSchedule(client, id), ["not_found"], null);
  if (schedule !== null) await showSchedule(schedule, printer);
  return schedule !== null;
}

async function showSchedule(schedule: Schedule, printer: Printer): Promise<void> {
  if (!printer.isHuman) return await printer.one(SCHEDULE_VIEW, schedule);
  const subject = { view: SCHEDULE_VIEW, item: schedule };
  await printer.details((of) => of(schedule), subject, scheduleLines(schedule, printer));
}

async function showNode(node: Node, printer: Printer): Promise<void> {
  if (!printer.isHuman) return await printer.one(NODE_VIEW, node);
  const subject = { view: NODE_VIEW, item: node };
  await printer.details((of) => of(node), subject, nodeLines(node, printer));
}
