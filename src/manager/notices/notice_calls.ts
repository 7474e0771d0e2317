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
import type { SilenceOptions, Silences } from "../../notices/incidents/silences.ts";
import type { Page } from "../../store/store.ts";
import { type PageInput, readOptions, readPage } from "../context/call_options.ts";
import { assertNoNotice } from "../instances/notice_rules.ts";
import type { NoticeApi } from "../api/notices.ts";
import type { ManagerSettings } from "../context/manager_options.ts";
import type { Registry } from "../context/registry.ts";
import type { Peers } from "../nodes/peers.ts";
import type { LazyNotices } from "./lazy_notices.ts";

/** The parts of a manager that its calls about notices use. */
export interface NoticeCallParts {
  readonly options: ManagerSettings;
  readonly registry: Registry;
  readonly peers: Peers;
  readonly silences: Silences;
  readonly notices: LazyNotices;
  readonly dispatcher: { poke(): void };
}

/** Most silences in a list. */
const LISTED_MAX = 10_000;

/** The calls of a manager about notices; loaded for the first of them. */
export class NoticeCalls implements Omit<NoticeApi, "listChannels"> {
  readonly #parts: NoticeCallParts;
  #isTesting = false;

  constructor(parts: NoticeCallParts) {
    this.#parts = parts;
  }

  async listIncidents(query: IncidentQuery, page?: PageInput): Promise<Page<Incident>> {
    const conditions = readOptions("incidents", query, "list incidents");
    return await this.#incidents.list(conditions, readPage(page, "list incidents"));
  }

  async acknowledgeIncident(
    subject: NoticeSubject,
    options: AcknowledgeOptions,
  ): Promise<Acknowledgment> {
    return await this.#incidents.acknowledge(subject, options);
  }

  get #incidents(): Incidents {
    return new Incidents(this.#parts.options);
  }

  async silence(kind: string | null, options: SilenceOptions): Promise<Silence> {
    const { silences, peers } = this.#parts;
    const checked = readOptions("silence", options, "silence");
    if (kind !== null) {
      assertNoNotice(kind, "silence");
      await peers.assertKnown(kindOfReference(kind, "silence a job"));
    }
    const set = await silences.set(kind, checked);
    // It may be shorter than the silence that it replaces.
    await this.#silenceEnds(set.until);
    return set;
  }

  async removeSilence(kind: string | null): Promise<boolean> {
    const { silences, peers, dispatcher, options: { clock } } = this.#parts;
    if (kind !== null) kindOfReference(kind, "end the silence of a job");
    const wasSilenced = await silences.remove(kind);
    // A silence outlives its job: it is a mistake only if the kind is neither silenced nor known.
    if (!wasSilenced && kind !== null) await peers.assertKnown(kind);
    if (wasSilenced) await this.#silenceEnds(clock.now().wallMs);
    dispatcher.poke();
    return wasSilenced;
  }

  async #silenceEnds(at: number): Promise<void> {
    await (await this.#parts.notices.load()).notices.silenceEnds(at);
  }

  /** The silences in force: callers' silences, then the configuration's. */
  async listSilences(): Promise<readonly Silence[]> {
    const { silences, registry, options: { clock, scheduleDefaults } } = this.#parts;
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

  /** Only one test is sent at a time, so that a looping caller floods nobody. */
  async testNotice(channel: string, options: TestOptions): Promise<NoticePreview> {
    const { notices } = await this.#parts.notices.load();
    if (options.isDryRun) return await notices.test(channel, options);
    if (this.#isTesting) {
      const problem = "another test is being sent";
      throw new JobError("conflict", `Cannot test channel "${channel}": ${problem}`, {
        hint: "Try again when it has finished",
      });
    }
    this.#isTesting = true;
    try {
      return await notices.test(channel, options);
    } finally {
      this.#isTesting = false;
    }
  }
}
