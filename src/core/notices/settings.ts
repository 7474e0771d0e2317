import { JobError } from "../errors.ts";
import { didYouMean } from "../text/nearest.ts";
import type { NoticeEvent } from "./notice.ts";

/** Which notices a channel gets, and when. Times are in the configuration's time zone. */
export interface NoticeRules {
  readonly on: readonly NoticeEvent[];
  /** Patterns of kinds, with `*`; they restrict only what is about a job. */
  readonly jobs: readonly string[];
  /** Told from this many failures in a row. */
  readonly after: number;
  /** Told if this many of the last runs failed, instead of by {@link after}. */
  readonly rate: { readonly failures: number; readonly of: number } | null;
  /** Told again after each such time while an incident is open and not acknowledged, in ms. */
  readonly repeatMs: number | null;
  /** Collected for this long, and told as one, in ms. */
  readonly digestMs: number | null;
  /** Collected until their end, and told as one: such as `22:00-07:00`. */
  readonly quiet: readonly string[];
}

/** A channel to people, as configured in `[notices.NAME]`. */
export interface ChannelSettings {
  readonly name: string;
  readonly rules: NoticeRules;
  readonly target: ChannelTarget;
}

/** A channel as callers see it: without its addresses and secrets. */
export interface ChannelSummary extends Pick<NoticeRules, "on" | "jobs"> {
  readonly name: string;
  readonly to: ChannelTarget["to"];
}

/** Where and how a channel delivers. Secrets are resolved. */
export type ChannelTarget =
  | { readonly to: "mail" }
  | { readonly to: "webhook" }
  | { readonly to: "exec" }
  | { readonly to: "syslog" };

/**
 * Check that the channels exist that are told about a job.
 *
 * @param notify undefined for those whose `jobs` match
 * @param channels the names of all channels
 * @throws JobError `invalid_argument` with the path `notify`, naming the nearest channel
 */
export function checkNotify(
  kind: string,
  notify: readonly string[] | undefined,
  channels: readonly string[],
): void {
  const unknown = notify?.find((name) => !channels.includes(name));
  if (unknown === undefined) return;
  throw new JobError(
    "invalid_argument",
    `Cannot tell channel "${unknown}" about job "${kind}": there is none`,
    {
      path: "notify",
      hint: didYouMean(unknown, channels) ?? `Add it to the configuration: [notices.${unknown}]`,
    },
  );
}
