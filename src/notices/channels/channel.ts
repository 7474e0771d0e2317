import { type ErrorCode, isJobError, JobError, messageOf } from "../../core/errors.ts";
import type { LogLevel } from "../../core/instance.ts";
import type { Notice } from "../../core/notices/notice.ts";
import type { ChannelSettings, ChannelTarget } from "../../core/notices/settings.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";

/** Facts about an attempt of {@link Channel.deliver}. */
export interface DeliveryContext {
  /** 1 for the first. */
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** Writes a line to the log of the delivery. */
  readonly log?: (level: LogLevel, message: string) => void;
}

/** Delivers notices in one way. */
export interface Deliverer {
  /**
   * Deliver a notice. The other side may receive it twice only if its answer was lost: then both
   * have the same id.
   *
   * @throws any error, preferably a DeliveryError; a {@link Channel} throws no others
   */
  deliver(notice: Notice, context: DeliveryContext): Promise<void>;
  /** The whole request, mail or input of a program as text. */
  preview(notice: Notice): Promise<string>;
}

/** A configured channel. Its errors and previews contain no secrets. */
export interface Channel extends Deliverer {
  readonly settings: ChannelSettings;
}

/** The network for requests. */
export interface Network {
  /** The IP addresses of a name. @throws any error if there are none */
  lookup(host: string): Promise<readonly string[]>;
  /** True if an address belongs to a host on the public internet. */
  isPublic(address: string): boolean;
}

/** Dependencies of channels. */
export interface ChannelDeps {
  readonly clock: Clock;
  /** The secrets of the configuration. */
  readonly mask: SecretMask;
  /** The zone of times that people read. */
  readonly timezone: string;
  /** By default the system's. */
  readonly network?: Network;
}

/** Makes what delivers the notices of a channel. */
export type CreateDeliverer<T extends ChannelTarget> = (
  settings: ChannelSettings<T>,
  deps: ChannelDeps,
) => Deliverer;

/** The failure of a delivery, and its consequence. */
export interface DeliveryErrorOptions {
  /** True if another attempt would fail, too. */
  readonly isPermanent?: boolean;
  /** Wait in milliseconds that the other side requests before another attempt. */
  readonly retryAfterMs?: number | undefined;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** A notice was not delivered, or its delivery is uncertain. */
export class DeliveryError extends JobError {
  /** True if another attempt must not be made: it would fail as well. */
  readonly isPermanent: boolean;
  /** Wait in milliseconds before another attempt; undefined: any time. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: DeliveryErrorOptions = {}) {
    const { isPermanent = false, retryAfterMs, hint, cause } = options;
    const code: ErrorCode = isPermanent ? "invalid_argument" : "unavailable";
    super(code, message, { ...(hint === undefined ? {} : { hint }), cause });
    this.name = "DeliveryError";
    this.isPermanent = isPermanent;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Longest wait that another side may request, in milliseconds. */
export const RETRY_AFTER_MS_MAX = 24 * 3_600_000;

/** Anything thrown while a notice was delivered, without secrets. */
function toDeliveryError(thrown: unknown, mask: SecretMask): DeliveryError {
  const known = thrown instanceof DeliveryError ? thrown : null;
  const hint = isJobError(thrown) ? thrown.hint : undefined;
  // Without the cause, which may have secrets.
  return new DeliveryError(mask.text(messageOf(thrown).trim()), {
    isPermanent: known?.isPermanent ?? false,
    retryAfterMs: known?.retryAfterMs,
    hint: hint === undefined ? undefined : mask.text(hint),
  });
}

/** Run a delivery. @throws errors of `run`; DeliveryError after `timeoutMs`, or if aborted */
async function withTimeLimit<T>(
  { clock, timeoutMs, signal }: {
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const ended = Promise.withResolvers<never>();
  const stop = (message: string) => {
    ended.reject(new DeliveryError(message));
    limit.abort();
  };
  const abort = () => stop("it was aborted");
  const timer = clock.timer(timeoutMs, () => stop(`no response within ${timeoutMs / 1_000} s`));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([ended.promise, run(limit.signal)]);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", abort);
  }
}

/**
 * The channel of a configuration. Each delivery takes at most its `timeoutMs`; errors and previews
 * have no secrets.
 */
export function createChannel<T extends ChannelTarget>(
  settings: ChannelSettings<T>,
  create: CreateDeliverer<T>,
  deps: ChannelDeps,
): Channel {
  const deliverer = create(settings, deps);
  const { timeoutMs } = settings;
  const { clock, mask } = deps;
  return {
    settings,
    async deliver(notice, context) {
      const { log: write } = context;
      const log = write &&
        ((level: LogLevel, line: string) => write(level, mask.text(line)));
      try {
        await withTimeLimit(
          { clock, timeoutMs, signal: context.signal },
          (signal) => deliverer.deliver(notice, { ...context, signal, ...(log ? { log } : {}) }),
        );
      } catch (error) {
        throw toDeliveryError(error, mask);
      }
    },
    async preview(notice) {
      return mask.text(await deliverer.preview(notice));
    },
  };
}
