import { isKindPattern, PATTERN_WANTED, PATTERNS_MAX } from "../../core/job/job_scope.ts";
import { NOTICE_EVENTS } from "../../core/notices/notice.ts";
import { PRESET_NAMES } from "../../core/notices/presets.ts";
import type { NoticeLimit, NoticeRules } from "../../core/notices/settings.ts";
import { parseDuration } from "../../core/time/duration.ts";
import {
  accepted,
  choice,
  duration,
  integer,
  oneOrMany,
  parsedText,
  type Reader,
  TEXT,
} from "../values/readers.ts";
import { type Key, key, schemaOf } from "../values/schema.ts";
import { BLACKOUT } from "../values/special_readers.ts";
import type { AnyChannelType } from "./channel_type.ts";
import { EXEC } from "./channels/exec.ts";
import { MAIL } from "./channels/mail.ts";
import { SYSLOG } from "./channels/syslog.ts";
import { WEBHOOK } from "./channels/webhook.ts";

/** Every type of channel, by its name in `to`. */
export const CHANNEL_TYPES: Readonly<Record<string, AnyChannelType>> = {
  mail: MAIL,
  webhook: WEBHOOK,
  exec: EXEC,
  syslog: SYSLOG,
};

/** Names that somebody may take for the types of channels, and what to write. */
const MEANT_TYPES: ReadonlyMap<string, string> = new Map([
  ...Object.entries(CHANNEL_TYPES).flatMap(([to, { aliases }]) =>
    aliases.map((name) => [name, `to = "${to}"`] as const)
  ),
  ...PRESET_NAMES.map((name) => [name, `to = "webhook" and preset = "${name}"`] as const),
]);

const TYPE_NAMES = choice(Object.keys(CHANNEL_TYPES));

const TYPE: Reader<string> = {
  ...TYPE_NAMES,
  read(field, report) {
    const meant = MEANT_TYPES.get(String(field.value));
    if (typeof field.value !== "string" || meant === undefined) {
      return TYPE_NAMES.read(field, report);
    }
    return report.mismatch(field, TYPE_NAMES.wanted, `Write: ${meant}`);
  },
};

/** Longest sample of runs for a rate. */
const RATE_RUNS_MAX = 100;

/** Number of the last runs that failed. */
const RATE: Reader<NonNullable<NoticeRules["rate"]>> = parsedText(
  `a text "FAILURES/RUNS" such as "3/10", of at most ${RATE_RUNS_MAX} runs and not more failures than runs`,
  (text) => {
    const match = /^(\d{1,3})\/(\d{1,3})$/.exec(text.trim());
    if (match === null) return undefined;
    const [failures, of] = [Number(match[1]), Number(match[2])];
    return failures >= 1 && failures <= of && of <= RATE_RUNS_MAX ? { failures, of } : undefined;
  },
);

/** Most notices of one window. */
const LIMIT_MAX = 10_000;
/** Shortest and longest window. */
const [LIMIT_MS_MIN, LIMIT_MS_MAX] = [10_000, 86_400_000];

/** Number of notices that are sent separately. */
const LIMIT: Reader<NoticeLimit> = parsedText(
  `a text "NOTICES/DURATION" such as "100/10m", of 1 to ${LIMIT_MAX} notices in 10 s to 24 hours`,
  (text) => {
    const match = /^(\d{1,5})\/(\S+)$/.exec(text.trim());
    if (match === null) return undefined;
    const [most, perMs] = [Number(match[1]), readSpan(match[2]!)];
    const isRight = most >= 1 && most <= LIMIT_MAX && perMs >= LIMIT_MS_MIN &&
      perMs <= LIMIT_MS_MAX;
    return isRight ? { most, perMs } : undefined;
  },
);

/** Milliseconds of a duration; NaN for any other text. */
function readSpan(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    return NaN;
  }
}

const PATTERN = accepted(
  PATTERN_WANTED,
  TEXT,
  (value) => isKindPattern(value) ? value : undefined,
);
const WINDOWS_MAX = 100;

/** The keys of a channel that every kind of channel has. */
export const RULE_KEYS = {
  to: key(TYPE, "How the channel delivers notices."),
  on: key(
    oneOrMany(choice(NOTICE_EVENTS)),
    "The events that it reports. By default all but `dead` and `output`.",
    NOTICE_EVENTS.filter((event) => event !== "dead" && event !== "output"),
  ),
  jobs: key(
    oneOrMany(PATTERN, { minLength: 0, maxLength: PATTERNS_MAX }),
    "The jobs whose events it reports. `*` matches any characters; `[]` means only jobs that name it in `notify`. Events of the daemon, nodes, the store and other channels are reported regardless: leave them out of `on` if you do not want them.",
    ["*"],
  ),
  after: key(integer(1, 1_000), "Report `failed` only after this many failures in a row.", 1),
  rate: key(
    RATE,
    "Report `failed` only if this many of the last runs failed. It replaces `after`.",
  ),
  repeat: key(
    duration({ minMs: 10_000 }),
    "How often a reminder is sent while an incident is open and not acknowledged. By default none is sent.",
  ),
  digest: key(
    duration({ minMs: 1_000 }),
    "Collect notices for this long, and deliver them as one. By default each is delivered immediately.",
  ),
  quiet: key(
    oneOrMany(BLACKOUT, { minLength: 0, maxLength: WINDOWS_MAX }),
    "Windows, in `timezone`, in which notices are collected, and delivered as one at the end.",
    [],
  ),
  limit: key(
    LIMIT,
    "How many notices are sent one by one in this time, and ten times as many of `output`. Any more are sent as one when it is over. It does not apply to what `digest` or `quiet` collect.",
    "100/10m",
  ),
  timeout: key(
    duration({ minMs: 100 }),
    "Time limit of one attempt to deliver. After that, the delivery is tried again.",
    "30s",
  ),
};

const ENTRIES = [RULE_KEYS, ...Object.values(CHANNEL_TYPES).map(({ keys }) => keys)]
  .flatMap((keys) => Object.entries<Key<unknown>>(keys));

/** Every key of a table `[notices.NAME]`. A key of several types comes with the last of them. */
export const NOTICE_KEYS = Object.fromEntries(
  ENTRIES.filter(([name], at) => ENTRIES.findLastIndex((other) => other[0] === name) === at),
);

/** The schema of a table `[notices.NAME]`. */
export const NOTICE_SCHEMA = schemaOf(NOTICE_KEYS, {
  meant: Object.assign(
    { type: "to", events: "on", event: "on" },
    ...Object.values(CHANNEL_TYPES).map(({ meant }) => meant),
  ),
});
