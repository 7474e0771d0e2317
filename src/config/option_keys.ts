import { PRIORITY_MAX } from "../core/job/job.ts";
import { MISFIRES, OVERLAPS } from "../core/job/schedule.ts";
import { choice, duration, integer, list, number, size } from "./readers.ts";
import * as special from "./special_readers.ts";

/** Keys that are read twice: in [defaults], where each has a default, and in a job's table. */
export const OPTIONS = {
  priority: integer(-PRIORITY_MAX, PRIORITY_MAX),
  timeout: duration(),
  deadline: duration(),
  kill_after: duration(),
  overlap: choice(OVERLAPS),
  misfire: choice(MISFIRES),
  misfire_within: duration(),
  jitter: duration(),
  crashes_max: integer(0, 1000),
  on_crash: choice(["retry", "terminate"]),
  on_drain: choice(["retry", "terminate"]),
  "retry.max": integer(-1, 1_000_000),
  "retry.backoff": choice(["exponential", "linear", "fixed"]),
  "retry.initial": duration(),
  "retry.cap": duration(),
  "retry.jitter": number({ min: 0, max: 1 }),
  "retry.on": list(choice(["error", "timeout"])),
  "retry.not_on": list(special.failureName()),
  "keep.success": duration(),
  "keep.failure": duration(),
  "output.size_max": size({ minBytes: 1_000 }),
  "output.lines_max": integer(10, 1_000_000),
};

/** What each of {@link OPTIONS} means. */
export const DOCS = {
  priority: "Lower runs first, like nice: 0 high, 5 default, 10 low, below 0 before those.",
  timeout: 'Longest time of one attempt; "0" for no limit.',
  deadline:
    'Longest time of a whole instance, from when it is first due, with all its waits and retries; "0" for no limit.',
  kill_after: "After the timeout or a cancel: the time between SIGTERM and SIGKILL.",
  overlap:
    'When a tick is due and the one before of the same schedule is not finished: "skip" drops it with a record, "queue" lets it wait for its turn, "replace" cancels the one before and runs it when that has ended, "allow" runs both.',
  misfire:
    'When ticks passed while nothing ran: "latest" runs the last of them once, "skip" runs none that is more than a minute late, "all" runs each, at most the last 100, one after the other unless `overlap` is "allow". Each is recorded.',
  misfire_within:
    "Ticks that are older than this are missed, whatever `misfire` says; a minute is never too old.",
  jitter:
    "Each run is later than its tick by up to this much: how much is always the same for a schedule on a node.",
  crashes_max:
    "How often an instance is taken over after its worker or node was lost, before it is given up.",
  on_crash:
    'When its worker or node was lost: "retry" takes the instance over up to `crashes_max` times, "terminate" gives it up at once.',
  on_drain:
    'When the daemon stopped and the attempt took longer than the drain: "retry" runs it again after the restart, "terminate" gives it up with the reason `drained`. By default as `on_crash` says. An attempt that had not begun is always run again.',
  "retry.max": "Retries after a failed attempt: 0 none, -1 for ever. `retry = 3` is short for it.",
  "retry.backoff": "How the wait grows with each failed attempt.",
  "retry.initial": "Wait before the first retry.",
  "retry.cap": "Longest wait between two attempts, jitter included.",
  "retry.jitter": "Share of the wait that chance moves, from 0 to 1.",
  "retry.on": "What a retry follows: an error, or a timeout of the attempt.",
  "retry.not_on":
    'Failures that no retry follows: names of errors such as "ValidationError", exit codes, or signals such as "SIGSEGV".',
  "keep.success": "How long an instance that completed is kept, with its history and log.",
  "keep.failure": "How long any other finished instance is kept.",
  "output.size_max":
    "How much of an attempt's output is kept, half from its beginning and half from its end.",
  "output.lines_max": "How many lines of an attempt's output are kept, likewise.",
};
