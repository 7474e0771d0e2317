import { NOTICE_EVENTS } from "../../core/notices/notice.ts";
import { withoutUndefined } from "../../core/text/object_keys.ts";
import type { ManagerApi } from "../../manager/api.ts";
import { channelToWire, incidentToWire } from "../messages/notice_messages.ts";
import {
  readChoice,
  readName,
  readPage,
  readSet,
  readTime,
  readUuid,
  refuse,
  textOf,
} from "../messages/requests.ts";
import { type Handlers, textLengthMax } from "./handler.ts";

const SUBJECT_TYPES = ["job", "node", "daemon", "store", "channel"] as const;

/** The kind to silence, or null for everything, which must be explicit: absent is a mistake. */
function kindOf({ kind, all }: { readonly kind?: string; readonly all: boolean }): string | null {
  const name = textOf(kind);
  if (all && name !== undefined) {
    throw refuse("all", 'it cannot be combined with "kind"', "Set only one of them");
  }
  if (all) return null;
  if (name !== undefined) return name;
  throw refuse("kind", "it is empty, wanted a kind", "Set all = true to mean everything");
}

/** Handlers of the methods about incidents, silences and channels. */
export function noticeHandlers(manager: ManagerApi) {
  return {
    async listIncidents({ kind, withClosed, ...request }, call) {
      call.canBeBrief = true;
      const query = withoutUndefined({ kind: textOf(kind), withClosed });
      const page = readPage(request, "", call.pageLimit);
      const { items, nextToken } = await manager.listIncidents(query, page);
      call.pageItems = items.length;
      const length = textLengthMax(call);
      return {
        incidents: items.map((incident) => incidentToWire(incident, length)),
        nextPageToken: nextToken,
      };
    },
    async acknowledgeIncident({ type, name, id, undo, close }, { caller }) {
      if (undo && close) throw refuse("close", "it cannot be set together with undo");
      const subject = {
        type: readChoice(type, SUBJECT_TYPES, "type"),
        name: readName(name, "name"),
      };
      const options = withoutUndefined({
        by: caller.name,
        id: readSet(textOf(id), readUuid, "id"),
        isUndo: undo,
        isClose: close,
      });
      const { incident, isChanged } = await manager.acknowledgeIncident(subject, options);
      return { incident: incidentToWire(incident), changed: isChanged };
    },
    async setSilence({ kind, all, until, reason }, { caller }) {
      const subject = kindOf({ kind, all });
      if (!until) throw refuse("until", "it is absent, wanted a time");
      const options = withoutUndefined({
        until: readTime(until, "until"),
        reason: textOf(reason),
        by: caller.name,
      });
      return { silence: await manager.silence(subject, options) };
    },
    async removeSilence(request) {
      return { wasSilenced: await manager.removeSilence(kindOf(request)) };
    },
    async listSilences(_, call) {
      call.canBeBrief = true;
      const length = textLengthMax(call);
      const silences = await manager.listSilences();
      return { silences: silences.map((one) => ({ ...one, reason: one.reason.slice(0, length) })) };
    },
    listChannels: () => ({ channels: manager.listChannels().map(channelToWire) }),
    async testNotice({ channel, dryRun, event }) {
      const readEvent = (word: string) => readChoice(word, NOTICE_EVENTS, "event");
      const options = withoutUndefined({
        isDryRun: dryRun,
        event: readSet(textOf(event), readEvent, "event"),
      });
      return await manager.testNotice(readName(channel, "channel"), options);
    },
  } satisfies Partial<Handlers>;
}
