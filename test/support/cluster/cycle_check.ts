import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type HistoryEntry,
  type JobInstance,
  JobState,
  type LogEntry,
} from "../../../src/rpc/gen/job_pb.ts";
import { lengthOf, nameOf, type PlannedCommand } from "./cycle_plan.ts";
import { type CycleRun, type Happening, KIND, type Mark } from "./cycle_run.ts";

/** Part of a lease for which a process may be away without a loss, whenever it renewed before. */
const AWAY_SHARE = 0.4;
/** How far the times of commands, of daemons and of this process may differ. */
const BLUR_MS = 500;
/** How long a daemon on a busy host may not have heard that its supervisor has ended. */
const UNHEARD_MS_MAX = 5_000;
const VIOLATIONS_SHOWN = 20;
const LINES_SHOWN = 12;
/** Lines of the log so long before and after a violation are shown. */
const AROUND_MS = 1_500;
const FINAL = [JobState.COMPLETED, JobState.TERMINATED, JobState.CANCELLED, JobState.TIMED_OUT];

/** What a run showed. */
export interface CycleReport {
  /** What did not hold, each with its evidence. */
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

/** Check what cycles of faults left, and that the daemon then ends and leaves nothing behind. */
export async function checkCycles(
  run: CycleRun,
  end: () => Promise<void>,
): Promise<CycleReport> {
  const found = new Found(await readInstances(run), await readHistory(run));
  const checked: CheckedCommand[] = [];
  for (const command of run.commands) {
    const logs = await readLogs(run, command.uuid);
    checked.push(new CheckedCommand(run, command, found, logs));
  }
  const bad = checked.filter(({ problems }) => problems.length > 0);
  const more = bad.length - VIOLATIONS_SHOWN;
  const shown = bad.slice(0, VIOLATIONS_SHOWN).map((each) => each.evidence());
  await end();
  return {
    violations: [...shown, ...more > 0 ? [`and ${more} more commands`] : [], ...run.problems],
    figures: figuresOf(run, checked),
  };
}

function figuresOf(run: CycleRun, checked: readonly CheckedCommand[]): CycleReport["figures"] {
  const count = (is: (each: CheckedCommand) => boolean) => checked.filter(is).length;
  const faults = Map.groupBy(run.options.plan.cycles, ({ fault }) => nameOf(fault));
  return {
    commands: checked.length,
    ran_once: count(({ runs }) => runs === 1),
    ran_again_counted_as_lost: count(({ lost }) => lost > 0),
    released_by_a_drain: count(({ released }) => released > 0),
    ...Object.fromEntries(FINAL.map((state) => [
      JobState[state]!.toLowerCase(),
      count(({ instance }) => instance?.state === state),
    ])),
    unfinished: count(({ isUnfinished }) => isUnfinished),
    sigterms: run.stopMs.length,
    sigterm_ms_max: Math.max(0, ...run.stopMs),
    ...Object.fromEntries([...faults].map(([name, cycles]) => [`fault: ${name}`, cycles.length])),
  };
}

/** Epoch ms. */
interface Span {
  readonly from: number;
  readonly to: number;
}

class Found {
  readonly instances: ReadonlyMap<string, JobInstance>;
  readonly history: ReadonlyMap<string, readonly HistoryEntry[]>;

  constructor(instances: readonly JobInstance[], history: readonly HistoryEntry[]) {
    this.instances = new Map(instances.map((each) => [each.uuid, each]));
    this.history = Map.groupBy(history, ({ uuid }) => uuid);
  }
}

/** One command against what must hold for it. */
class CheckedCommand {
  readonly problems: string[] = [];
  readonly instance: JobInstance | undefined;
  /** How often its program began; how many attempts were lost, and released by a drain. */
  runs = 0;
  lost = 0;
  released = 0;
  readonly #run: CycleRun;
  readonly #planned: PlannedCommand;
  readonly #marks: readonly Mark[];
  readonly #history: readonly HistoryEntry[];
  readonly #logs: readonly LogEntry[];

  constructor(run: CycleRun, planned: PlannedCommand, found: Found, logs: readonly LogEntry[]) {
    this.#run = run;
    this.#planned = planned;
    this.instance = found.instances.get(planned.uuid);
    this.#history = found.history.get(planned.uuid) ?? [];
    this.#marks = run.marks.filter(({ uuid }) => uuid === planned.uuid);
    this.#logs = logs;
    this.#check();
  }

  #check(): void {
    if (this.instance === undefined) return this.#report("it was accepted and is lost");
    this.#checkAttempts(this.instance);
    if (this.isUnfinished) return this.#report("it does not end");
    this.#checkEnd(this.instance);
    this.#checkOutput(this.instance);
  }

  get isUnfinished(): boolean {
    return this.instance !== undefined && !FINAL.includes(this.instance.state);
  }

  #report(problem: string): void {
    this.problems.push(problem);
  }

  #of(what: string): readonly Mark[] {
    return this.#marks.filter((mark) => mark.what === what);
  }

  /** It ran once, or again after an attempt that was lost for a reason, and never beside itself. */
  #checkAttempts({ attempts = 0, crashes }: JobInstance): void {
    const begins = this.#of("S");
    this.runs = begins.length;
    const claims = this.#history.filter(({ state }) => state === JobState.PROCESSING);
    const fences = new Set(claims.map(({ fence }) => fence));
    let highest = 0n;
    for (const { what, fence } of this.#marks) {
      if (fence < highest) this.#report(`"${what}" under fence ${fence} came after ${highest}`);
      if (fence > highest) highest = fence;
    }
    for (const { fence } of begins) {
      if (!fences.has(fence)) this.#report(`it ran under fence ${fence}, which nothing recorded`);
      const times = begins.filter((other) => other.fence === fence).length;
      if (times !== 1) this.#report(`it began ${times} times under fence ${fence}`);
    }
    for (const claim of claims) this.#checkFollowed(claim);
    if (claims.length !== attempts) {
      this.#report(`it has ${attempts} attempts and a history of ${claims.length}`);
    }
    if (this.lost !== crashes) {
      this.#report(`it has ${crashes} crashes and a history of ${this.lost}`);
    }
  }

  /** An attempt that another one follows was lost, or released by a drain. */
  #checkFollowed(claim: HistoryEntry): void {
    const next = this.#history[this.#history.indexOf(claim) + 1];
    if (next === undefined || next.state !== JobState.SCHEDULED) return;
    const span = { from: msOf(claim), to: msOf(next) };
    if (next.reason !== "lost") {
      this.released += 1;
      if (this.#happened(span, (each) => each.type === "away")) return;
      return this.#report(`attempt ${claim.attempt} was released (${next.reason}) without a stop`);
    }
    this.lost += 1;
    const end = this.#of("E").find(({ fence }) => fence === claim.fence);
    if (this.#isExplained(claim, span, end)) return;
    const what = end === undefined
      ? "was lost without a fault that explains it"
      : "ended by itself, and its result was dropped: it ran again";
    this.#report(`attempt ${claim.attempt} ${what}`);
  }

  /** True if a fault can have lost an attempt, with the end that it noted itself, if any. */
  #isExplained({ fence }: HistoryEntry, span: Span, end: Mark | undefined): boolean {
    if (this.#happened(span, isKillOfSupervisor)) return true;
    if (!this.#of("S").some((mark) => mark.fence === fence)) {
      // It was given to a supervisor of whose end the daemon had not yet heard, or to none.
      const earlier = { from: span.from - UNHEARD_MS_MAX, to: span.to };
      return this.#happened(earlier, (each) => each.type === "away" || isKillOfSupervisor(each));
    }
    if (end === undefined) return this.#happened(span, (each) => this.#isLong(each));
    // The supervisor keeps a result, unless a daemon that was frozen did not read it in time.
    const later = { from: end.at, to: span.to };
    return this.#happened(later, (each) => each.isFreeze && this.#isLong(each));
  }

  /** True if the lease of a command may have ended meanwhile, and with it the command. */
  #isLong({ type, from, to }: Happening): boolean {
    const { leaseMs } = this.#run.options.plan;
    return type !== "supervisor killed" && to - from > leaseMs * AWAY_SHARE;
  }

  #happened(span: Span, is: (happening: Happening) => boolean): boolean {
    return this.#run.happenings.some((each) =>
      each.from <= span.to + BLUR_MS && each.to >= span.from - BLUR_MS && is(each)
    );
  }

  #checkEnd(instance: JobInstance): void {
    const { state, reason, errorDetail, cancelRequestedAt, fence } = instance;
    const { code, timeoutMs, cancelAfterMs, uuid } = this.#planned;
    const what = `${JobState[state]} (${reason}, exit code ${errorDetail?.exitCode})`;
    const isCanceled = this.#run.canceled.has(uuid) || cancelRequestedAt !== undefined;
    if (state === JobState.CANCELLED) {
      if (cancelAfterMs === null) this.#report(`it is ${what}, and nobody canceled it`);
      return;
    }
    if (isCanceled) return this.#report(`it was canceled and is ${what}`);
    const begin = this.#of("S").find((mark) => mark.fence === fence);
    if (begin === undefined) return this.#report(`it is ${what}, and never began`);
    const end = this.#of("E").find((mark) => mark.fence === fence);
    const ranMs = end === undefined ? null : end.at - begin.at;
    if (state === JobState.TIMED_OUT) {
      if (timeoutMs > 0 && (ranMs === null || ranMs > timeoutMs - BLUR_MS)) return;
      return this.#report(`it is ${what}, ran ${ranMs} ms and may run ${timeoutMs} ms`);
    }
    if (timeoutMs > 0 && lengthOf(this.#planned) > timeoutMs) {
      return this.#report(`it has run into its timeout of ${timeoutMs} ms and is ${what}`);
    }
    const isAsWanted = code === 0
      ? state === JobState.COMPLETED
      : state === JobState.TERMINATED && errorDetail?.exitCode === code;
    if (!isAsWanted || ranMs === null) this.#report(`it is ${what}, not ended with code ${code}`);
  }

  /** The last attempt's output: whole if it ended by itself, else up to its last note. */
  #checkOutput({ fence, attempts }: JobInstance): void {
    const { ticks, lines } = this.#planned;
    const marks = this.#marks.filter((mark) => mark.fence === fence);
    const isEnded = marks.some(({ what }) => what === "E");
    // What a supervisor had not passed on is lost with it, and with the lease.
    const span = { from: marks[0]?.at ?? 0, to: msOf(this.#history.at(-1)!) };
    const isLossy = (each: Happening) => isKillOfSupervisor(each) || this.#isLong(each);
    if (!isEnded && this.#happened(span, isLossy)) return;
    const least = lines * (isEnded ? ticks : marks.filter(({ what }) => what === "T").length);
    const printed = this.#logs.filter(({ source, attempt }) =>
      source !== "system" && attempt === attempts
    );
    for (const stream of ["out", "err"]) {
      const found = printed.filter(({ message }) => message.startsWith(`${stream} `));
      const wrong = found.findIndex(({ message }, index) =>
        message !== `${stream} ${Math.floor(index / lines)}.${index % lines}`
      );
      if (wrong >= 0) this.#report(`line ${wrong} of ${stream} is "${found[wrong]!.message}"`);
      if (found.length < least) {
        this.#report(`it printed ${least} lines to ${stream}, and ${found.length} are recorded`);
      }
    }
  }

  /** Its problems, its history, and what its daemons wrote around. */
  evidence(): string {
    const { begunAt, log, happenings } = this.#run;
    const { uuid, ...planned } = this.#planned;
    const after = (at: number) => `${((at - begunAt) / 1_000).toFixed(2)} s`;
    const entries = this.#history.map((each) =>
      `    ${after(msOf(each))} ${JobState[each.state]} ${
        each.reason ?? ""
      } attempt ${each.attempt} fence ${each.fence}`
    );
    const marks = this.#marks.filter(({ what }, index, all) =>
      what !== "T" || all[index + 1]?.what !== "T"
    ).map(({ what, fence, at }) => `    ${after(at)} ${what} fence ${fence}`);
    const faults = happenings.map(({ what, type, from, to }) =>
      `    ${after(from)} to ${after(to)} ${type}: ${what}`
    );
    return [
      `${uuid}: ${this.problems.join("; ")}`,
      `  planned ${JSON.stringify(planned)}`,
      ...["  history", ...entries, "  what it noted", ...marks, "  faults", ...faults],
      ...["  log", ...linesAround(log, uuid, this.#endsAt()).map((line) => `    ${line}`)],
    ].join("\n");
  }

  /** The ends of its attempts, around which the log tells more. */
  #endsAt(): readonly number[] {
    return [...this.#history.map(msOf), ...this.#marks.slice(-1).map(({ at }) => at)];
  }
}

function isKillOfSupervisor({ type }: Pick<Happening, "type">): boolean {
  return type === "supervisor killed";
}

/** Lines that name the instance, and warnings at some times. */
function linesAround(log: string, uuid: string, times: readonly number[]): readonly string[] {
  const lines = log.split("\n").filter((line) => {
    if (line.includes(uuid)) return true;
    const at = Date.parse(line.split(" ", 1)[0]!);
    const isNear = times.some((time) => Math.abs(at - time) < AROUND_MS);
    return isNear && /WARN|ERROR|Adopted|Left/.test(line) && !line.includes(" instance=");
  });
  const more = lines.length - LINES_SHOWN;
  return more > 0 ? [...lines.slice(0, LINES_SHOWN), `and ${more} more lines`] : lines;
}

/** Ask for one page after the other. */
async function readPages<Page extends { readonly nextPageToken?: string | undefined }>(
  read: (pageToken: string | undefined) => Promise<Page>,
): Promise<readonly Page[]> {
  const pages: Page[] = [];
  let pageToken: string | undefined;
  do {
    const page = await read(pageToken);
    pages.push(page);
    pageToken = page.nextPageToken || undefined;
  } while (pageToken !== undefined);
  return pages;
}

async function readInstances({ daemon }: CycleRun): Promise<readonly JobInstance[]> {
  const pages = await readPages((pageToken) =>
    daemon.client().lookupInstances({ query: { kind: KIND, pageToken } })
  );
  return pages.flatMap(({ instances }) => instances);
}

async function readHistory({ daemon }: CycleRun): Promise<readonly HistoryEntry[]> {
  const pages = await readPages((pageToken) =>
    daemon.client().lookupInstanceHistory({ query: { kind: KIND, pageToken, oldestFirst: true } })
  );
  return pages.flatMap(({ entries }) => entries);
}

async function readLogs({ daemon }: CycleRun, uuid: string): Promise<readonly LogEntry[]> {
  const pages = await readPages((pageToken) =>
    daemon.client().lookupInstanceLogs({ query: { uuid, pageToken } })
  );
  return pages.flatMap(({ entries }) => entries);
}

function msOf({ at }: HistoryEntry): number {
  return Number(timestampMs(at!));
}
