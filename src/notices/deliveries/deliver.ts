import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { type Notice, NOTICE_EVENTS } from "../../core/notices/notice.ts";
import { quietUntil } from "../../core/notices/quiet_time.ts";
import { hasWholeOutput } from "../../core/notices/settings.ts";
import { readSubject } from "../../core/notices/subject_state.ts";
import { idOfText } from "../../platform/ids.ts";
import type { Channel, DeliveryContext } from "../channels/channel.ts";
import type { NoticeContext } from "../notice_context.ts";
import { channelOfKind, incidentNoticeId, type NoticeDelivery } from "../notice_kinds.ts";
import { readMemo } from "../read_memo.ts";
import {
  type CollectedDelivery,
  type Collecting,
  forgetCollected,
  readCollected,
  silencedUntil,
  silenceFacts,
} from "./collected.ts";
import { commandOfKind, outputOf } from "./run_output.ts";

/** Most items in a digest; the rest is counted. */
const ITEMS_MAX = 500;
/** How long a notice waits for an earlier one of its incident, in milliseconds. */
const ORDER_WAIT_MS = 10_000;

/** How a delivery ended, unless it failed. */
export type DeliveryResult =
  | { readonly type: "delivered" }
  /** To be tried again later, although nothing failed. */
  | { readonly type: "later"; readonly delayMs: number };

/**
 * Deliver what an instance of a channel's kind has to tell.
 *
 * @throws JobError if it was not delivered, or may not have been
 */
export async function deliver(
  instance: Instance,
  { signal, log }: Pick<DeliveryContext, "signal" | "log">,
  context: NoticeContext,
): Promise<DeliveryResult> {
  const name = channelOfKind(instance.kind)!;
  const channel = context.channels.get(name);
  if (!channel) {
    throw new JobError("not_found", `Cannot deliver: this daemon has no channel "${name}"`, {
      hint: `Add [notices.${name}] to its configuration, and reload it`,
    });
  }
  const [, given] = JSON.parse(instance.argumentsJson) as [
    string?,
    (NoticeDelivery | CollectedDelivery)?,
  ];
  if (given === undefined) {
    throw new JobError("invalid_argument", "Cannot deliver: there is no notice", {
      hint: "Only the daemon schedules deliveries; try a channel with: jobctl notices test",
    });
  }
  const how = { attempt: instance.attempt, signal, ...(log ? { log } : {}) };
  if ("collected" in given) return await deliverCollected(channel, given.collected, how, context);
  if (await isOver(given, context)) return { type: "delivered" };
  if (await hasEarlier(given.notice, name, context)) {
    return { type: "later", delayMs: ORDER_WAIT_MS };
  }
  const { notice } = given;
  const isWhole = notice.type === "output" && hasWholeOutput(channel.settings);
  const output = await outputOf(notice, context, isWhole);
  const cron = isWhole ? commandOfKind(notice.subject.name, context) : undefined;
  await channel.deliver({ ...notice, output, ...(cron ? { cron } : {}) }, how);
  return { type: "delivered" };
}

async function deliverCollected(
  channel: Channel,
  collecting: Collecting,
  how: DeliveryContext,
  context: NoticeContext,
): Promise<DeliveryResult> {
  const { name, rules } = channel.settings;
  const nowMs = context.clock.now().wallMs;
  const { items, more } = await readCollected(name, collecting, { limit: ITEMS_MAX, context });
  if (items.length === 0) return { type: "delivered" };
  const ends = [quietUntil(rules.quiet, context.timezone, nowMs) ?? 0];
  if (collecting.why === "silence") {
    for (const { subject } of items) ends.push(await silencedUntil(subject, context) ?? 0);
  }
  const until = Math.max(...ends);
  if (until > nowMs) return { type: "later", delayMs: until - nowMs };
  const { host, node } = context;
  const total = items.reduce((sum, { count }) => sum + count, 0) + more;
  const notice: Notice = {
    id: idOfText(`collected ${name} ${collecting.why} ${collecting.until}`),
    type: "digest",
    at: collecting.until,
    subject: { type: "daemon", name: node },
    ...{ host, node, isReminder: false, run: null, incident: null, output: [], items },
    title: `${total} ${total === 1 ? "event" : "events"} ${SINCE[collecting.why]}`,
    facts: [
      ...collecting.why === "silence" ? await silenceFacts(items, context) : [],
      ...more === 0 ? [] : [`${more} more are not listed`],
    ],
    command: "jobctl incidents",
  };
  await channel.deliver(notice, how);
  await forgetCollected(name, collecting, context);
  return { type: "delivered" };
}

const SINCE: Readonly<Record<Collecting["why"], string>> = {
  digest: "in this digest",
  quiet: "during quiet hours",
  silence: "during a silence",
  flood: "more than are sent singly",
};

/**
 * True if an earlier notice of the same incident still waits: "recovered" must not come before
 * "failed", which some services would then show for ever.
 */
async function hasEarlier(
  notice: Notice,
  channel: string,
  { store }: NoticeContext,
): Promise<boolean> {
  const { incident, isReminder } = notice;
  if (incident === null || (incident.closedAt === null && !isReminder)) return false;
  const earlier = NOTICE_EVENTS.filter((event) => event !== "recovered")
    .map((event) => incidentNoticeId(incident.id, event, channel));
  const query = { ids: earlier, states: ["scheduled", "processing"] } as const;
  return (await store.list(query, { limit: 1 })).items.length > 0;
}

/** True if there is nothing to remind of: its incident has closed, or somebody takes care of it. */
async function isOver({ notice, memo: key }: NoticeDelivery, context: NoticeContext) {
  if (!notice.isReminder || key === undefined) return false;
  const memo = await readMemo(key, context);
  const incident = memo && readSubject(memo.data).incident;
  return incident?.id !== notice.incident?.id || incident?.closedAt !== null ||
    incident.acknowledgedBy !== null;
}
