import { JobError } from "../../core/errors.ts";
import { kindOfReference } from "../../core/job/schedule_options.ts";
import type { Incident, NoticePreview, Silence, TestOptions } from "../../core/notices/incident.ts";
import { silenceZoneOf } from "../../core/notices/holding.ts";
import { quietSince, quietUntil } from "../../core/notices/quiet_time.ts";
import type { NoticeSubject } from "../../core/notices/notice.ts";
import {
  type AcknowledgeOptions,
  type Acknowledgment,
  type IncidentQuery,
  Incidents,
} from "../../notices/incidents/incidents.ts";
import type { Notices } from "../../notices/notices.ts";
import type { SilenceOptions, Silences } from "../../notices/incidents/silences.ts";
import type { Page } from "../../store/store.ts";
import { type PageInput, readOptions, readPage } from "../context/call_options.ts";
import { assertNoNotice } from "../instances/notice_rules.ts";
import type { ManagerSettings } from "../context/manager_options.ts";
import type { Registry } from "../context/registry.ts";
import type { Peers } from "../nodes/peers.ts";
import type { LazyNotices } from "./lazy_notices.ts";

/** The parts of a manager that its calls about notices use. */
export interface CallParts {
  readonly options: ManagerSettings;
  readonly registry: Registry;
  readonly peers: Peers;
  readonly silences: Silences;
  readonly notices: LazyNotices;
  readonly dispatcher: { poke(): void };
}

/** List incidents. @throws JobError `invalid_argument` */
export async function listIncidents(
  parts: CallParts,
  query: IncidentQuery,
  page: PageInput | undefined,
): Promise<Page<Incident>> {
  const conditions = readOptions("incidents", query, "list incidents");
  return await new Incidents(parts.options).list(conditions, readPage(page, "list incidents"));
}

/** See {@link Incidents.acknowledge}. */
export async function acknowledge(
  parts: CallParts,
  subject: NoticeSubject,
  options: AcknowledgeOptions,
): Promise<Acknowledgment> {
  return await new Incidents(parts.options).acknowledge(subject, options);
}

/** Silence a kind, or everything for null. @throws JobError `not_found`, `invalid_argument` */
export async function silence(
  { silences, peers, notices }: CallParts,
  kind: string | null,
  options: SilenceOptions,
): Promise<Silence> {
  const checked = readOptions("silence", options, "silence");
  if (kind !== null) {
    assertNoNotice(kind, "silence");
    await peers.assertKnown(kindOfReference(kind, "silence a job"));
  }
  const set = await silences.set(kind, checked);
  // It may be shorter than the one that it replaces.
  await (await notices.load()).notices.silenceEnds(set.until);
  return set;
}

/** End the silence of a kind, or that of everything for null. @throws JobError `not_found` */
export async function removeSilence(
  { silences, peers, notices, dispatcher, options: { clock } }: CallParts,
  kind: string | null,
): Promise<boolean> {
  if (kind !== null) kindOfReference(kind, "end the silence of a job");
  const wasSilenced = await silences.remove(kind);
  // A silence outlives its job: it is a mistake only if the kind is neither silenced nor known.
  if (!wasSilenced && kind !== null) await peers.assertKnown(kind);
  if (wasSilenced) await (await notices.load()).notices.silenceEnds(clock.now().wallMs);
  dispatcher.poke();
  return wasSilenced;
}

/** Most silences in a list. */
const LISTED_MAX = 10_000;

/** The silences in force: those that callers asked for, then those of the configuration. */
export async function listSilences(
  { silences, registry, options: { clock, scheduleDefaults } }: CallParts,
): Promise<readonly Silence[]> {
  const found = [...await silences.list()];
  const nowMs = clock.now().wallMs;
  // Thousands of jobs may have the same windows, from `[defaults]`.
  const windows = new Map<string, Pick<Silence, "since" | "until"> | null>();
  for (const { kind, schedules, options: { silence } } of registry.list()) {
    if (silence.length === 0 || found.length >= LISTED_MAX) continue;
    const zone = silenceZoneOf({ schedules }, scheduleDefaults.timezone);
    const key = JSON.stringify([zone, ...silence]);
    let window = windows.get(key);
    if (window === undefined) {
      const until = quietUntil(silence, zone, nowMs);
      const since = quietSince(silence, zone, nowMs);
      window = until === null || since === null ? null : { since, until };
      windows.set(key, window);
    }
    if (window) found.push({ kind, ...window, reason: silence.join(", "), by: "config" });
  }
  return found;
}

/** Those that send a test now. */
const testing = new WeakSet<Notices>();

/**
 * Send a test notice through a channel, or only return it. One at a time is sent, so that a loop of
 * a caller floods nobody.
 *
 * @throws JobError `not_found` for an unknown channel, `conflict` while another test is sent
 */
export async function testNotice(
  { notices: lazy }: CallParts,
  channel: string,
  options: TestOptions,
): Promise<NoticePreview> {
  const { notices } = await lazy.load();
  if (options.isDryRun) return await notices.test(channel, options);
  if (testing.has(notices)) {
    throw new JobError("conflict", `Cannot test channel "${channel}": another test is being sent`, {
      hint: "Try again when it has finished",
    });
  }
  testing.add(notices);
  try {
    return await notices.test(channel, options);
  } finally {
    testing.delete(notices);
  }
}
