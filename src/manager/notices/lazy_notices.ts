import { toJobError } from "../../core/errors.ts";
import type { Channel } from "../../notices/channels/channel.ts";
import type { ExpectationWatcher } from "../../notices/expectations/watcher.ts";
import { recordWatcher } from "../../notices/watchers.ts";
import type { Notices } from "../../notices/notices.ts";
import { Lazy } from "../../platform/lazy.ts";
import type { Context } from "../context/context.ts";
import type { DaemonNotices } from "./daemon_notices.ts";
import type { Registry } from "../context/registry.ts";

/** The parts of a manager that notify people. */
export interface NoticeParts {
  readonly notices: Notices;
  readonly expectations: ExpectationWatcher;
  readonly daemon: DaemonNotices;
}

interface LazyNoticesOptions extends Pick<Context, "store" | "clock" | "logger" | "node"> {
  readonly registry: Registry;
  /** The channels at the start. */
  readonly channels: readonly Channel[];
}

/**
 * Decides when the parts that notify people are loaded: at a start or a reload with a channel, or
 * with a job that has expectations. Most daemons have neither, and save the memory.
 */
export class LazyNotices {
  readonly #options: LazyNoticesOptions;
  readonly #parts: Lazy<NoticeParts>;
  #isStarted = false;

  /** @param build makes the parts, once */
  constructor(options: LazyNoticesOptions, build: () => Promise<NoticeParts>) {
    this.#options = options;
    this.#parts = new Lazy(build);
  }

  /** Null until needed. */
  get parts(): NoticeParts | null {
    return this.#parts.value;
  }

  /** Load them, even without a channel: for a call that needs them. */
  load(): Promise<NoticeParts> {
    return this.#parts.get();
  }

  /** The channels, in the order of the configuration. */
  get channels(): readonly Channel[] {
    return this.parts?.notices.channels ?? this.#options.channels;
  }

  /** True if some channel wants the output of a job. */
  isOutputWanted(kind: string): boolean {
    return this.parts?.notices.isOutputWanted(kind) ?? false;
  }

  /** Notify people from now on, if wanted. */
  async start(): Promise<void> {
    this.#isStarted = true;
    // It may have requested news from the store before.
    if (!this.#isWanted()) return await recordWatcher(false, this.#options);
    await this.#start(await this.load());
    this.#watch();
  }

  /** The daemon's own events are watched last, once it is a node of its store. */
  watchDaemon(): void {
    this.parts?.daemon.start();
  }

  /** Apply other jobs and channels. The jobs run even if the store does not respond. */
  async adopt(channels?: readonly Channel[]): Promise<void> {
    if (this.parts === null && !this.#isWanted(channels)) return;
    try {
      const parts = await this.load();
      if (channels !== undefined) parts.notices.use(channels);
      if (this.#isStarted) await this.#start(parts);
    } catch (error) {
      this.#options.logger.error(toJobError(error, "Cannot prepare notices").message);
    }
    if (!this.#isStarted) return;
    this.watchDaemon();
    this.#watch();
  }

  /** Stop delivering and reporting; ends are watched until {@link ended}. */
  stop(): void {
    this.#isStarted = false;
    this.parts?.notices.stop();
    this.parts?.daemon.stop();
  }

  /** All attempts have ended. */
  ended(): void {
    this.parts?.expectations.stop();
  }

  async #start({ notices }: NoticeParts): Promise<void> {
    const { registry } = this.#options;
    registry.setNoticeJobs(notices.jobs());
    await notices.start();
    await notices.reportDisabled(registry.disabled);
  }

  /** Watch the expectations of jobs, while a channel or a job needs it. */
  #watch(): void {
    if (this.parts === null) return;
    const { notices, expectations } = this.parts;
    if (notices.isActive) expectations.start();
    else expectations.stop();
  }

  #isWanted(channels: readonly Channel[] = []): boolean {
    const { registry } = this.#options;
    return channels.length + this.channels.length > 0 || registry.hasExpectations;
  }
}
