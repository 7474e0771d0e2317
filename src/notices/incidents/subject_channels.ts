import { isChannelOf } from "../../core/notices/job_channels.ts";
import type { NoticeEvent, NoticeSubject } from "../../core/notices/notice.ts";
import { subjectOfMemo } from "../../core/notices/subject_state.ts";
import { JOB_MEMO } from "../../store/store.ts";
import type { Channel } from "../channels/channel.ts";
import type { NoticeContext } from "../context/notice_context.ts";
import { channelOfKind } from "../context/notice_kinds.ts";

/** The subject of a memo; null for other memos. */
export function subjectOfKey(key: string): NoticeSubject | null {
  const subject = subjectOfMemo(key);
  if (subject?.type !== "job") return subject;
  const channel = channelOfKind(subject.name);
  return channel === null ? subject : { type: "channel", name: channel };
}

/**
 * The channels that may report a subject, for any event: the ones named by its job, or else
 * channels whose patterns match it. "nobody" if its job wants no notices.
 */
export function channelsOf(
  subject: NoticeSubject,
  key: string,
  { channels, findJob }: Pick<NoticeContext, "channels" | "findJob">,
): readonly Channel[] | "nobody" {
  const all = [...channels.values()];
  // A channel's failed deliveries are for the others.
  if (subject.type === "channel") {
    return all.filter(({ settings }) => settings.name !== subject.name);
  }
  if (subject.type !== "job") return all;
  const kind = key.slice(JOB_MEMO.length);
  const notify = findJob(kind)?.options.notify;
  if (notify?.length === 0) return "nobody";
  return all.filter(({ settings: { name, rules: { jobs } } }) =>
    isChannelOf({ kind, notify }, { name, jobs })
  );
}

/** True if some channel wants an event of a job. */
export function isWanted(
  event: NoticeEvent,
  kind: string,
  context: Pick<NoticeContext, "channels" | "findJob">,
): boolean {
  const channels = channelsOf({ type: "job", name: kind }, JOB_MEMO + kind, context);
  return channels !== "nobody" &&
    channels.some(({ settings }) => settings.rules.on.includes(event));
}
