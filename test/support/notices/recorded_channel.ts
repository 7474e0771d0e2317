import type { Notice } from "../../../src/core/notices/notice.ts";
import { NOTICE_LIMIT, type NoticeRules } from "../../../src/core/notices/settings.ts";
import type { Channel, DeliveryContext } from "../../../src/notices/channels/channel.ts";

const RULES: NoticeRules = {
  on: [
    ...["failed", "recovered", "late", "missed", "long", "short", "lost", "disabled"] as const,
    ...["reload-refused", "node-lost", "store", "workers-busy", "port-closed"] as const,
  ],
  jobs: ["*"],
  after: 1,
  rate: null,
  repeatMs: null,
  digestMs: null,
  quiet: [],
  limit: NOTICE_LIMIT,
};

/** A channel that keeps what it delivers, and fails while the test says so. */
export class RecordedChannel implements Channel {
  readonly settings: Channel["settings"];
  readonly delivered: Notice[] = [];
  /** Thrown by every delivery; null for none. */
  problem: Error | null = null;
  /** True if a delivery that fails was received all the same. */
  isAnswerLost = false;
  /** True if its server takes what it is sent and never answers. */
  isHanging = false;
  attempts = 0;

  constructor(name: string, rules: Partial<NoticeRules> = {}) {
    this.settings = {
      name,
      rules: { ...RULES, ...rules },
      target: { to: "syslog" },
      timeoutMs: 30_000,
    };
  }

  deliver(notice: Notice, context?: DeliveryContext): Promise<void> {
    this.attempts += 1;
    if (this.isHanging) return new Promise(() => {});
    if (this.problem === null || this.isAnswerLost) this.delivered.push(notice);
    if (this.problem === null) context?.log?.("info", "answered 250");
    return this.problem === null ? Promise.resolve() : Promise.reject(this.problem);
  }

  preview(notice: Notice): Promise<string> {
    return Promise.resolve(JSON.stringify(notice));
  }

  /** Event and subject of each notice, in order; of a digest also its items. */
  get told(): readonly string[] {
    return this.delivered.map(({ type, subject, isReminder, items }) => {
      const again = isReminder ? " again" : "";
      const each = items.map((item) => `${item.event} ${item.subject.name} x${item.count}`);
      return type === "digest" ? `digest: ${each.join(", ")}` : `${type} ${subject.name}${again}`;
    });
  }
}
