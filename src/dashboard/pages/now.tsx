import type { ComponentChildren, JSX } from "preact";
import type { ReadonlySignal } from "@preact/signals";
import { roughSize } from "../../core/text/size.ts";
import { href } from "../state/router.ts";
import type {
  Block,
  GetStatusResponse,
  Incident,
  JobInstance,
  KindCounts,
  UpcomingRun,
} from "../gen/api_types.ts";
import { liveState, overview } from "../live/overview.ts";
import { InstanceLink, JobLink } from "../parts/instance_links.tsx";
import { Empty, Skeleton } from "../parts/notes.tsx";
import { Page, Section } from "../parts/page.tsx";
import { ProgressBar } from "../parts/progress_bar.tsx";
import { ReloadProblem } from "../parts/reload_problem.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Distance, Duration, Time } from "../parts/time.tsx";
import { formatCount, formatDuration, plural } from "../text/format_time.ts";
import { endOf, FAILED } from "../text/instance_state.ts";
import { blockWords } from "../text/limit_words.ts";

const RUNNING_MAX = 30;
const FAILED_MAX = 8;
/** States of a node that need attention. */
const ILL: ReadonlySet<string> = new Set(["lost", "skewed"]);
/** States of a node that has workers. */
const LIVE: ReadonlySet<string> = new Set(["live", "skewed", "draining"]);

interface Workers {
  readonly id: string;
  readonly busy: number;
  readonly count: number;
}
const NEXT_MAX = 10;

function Tile({ title, about, to, tone, children }: {
  readonly title: string;
  /** More details, shown on hover. */
  readonly about?: string;
  readonly to?: string;
  readonly tone?: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  const inside = (
    <>
      <span class="tile-value num">{children}</span>
      <span class="tile-title">{title}</span>
    </>
  );
  const look = tone === undefined ? "tile" : `tile tile-${tone}`;
  return to === undefined
    ? <div class={look} title={about}>{inside}</div>
    : <a class={look} title={about} href={to}>{inside}</a>;
}

/** Number of live nodes; red if one is lost, or its clock is wrong. */
function NodeTile({ count }: { readonly count: number }): JSX.Element {
  const ill = (overview.nodes.value ?? []).filter(({ state }) => ILL.has(state));
  const title = count === 1 ? "node" : "nodes";
  return (
    <Tile
      title={ill.length === 0
        ? title
        : `${title}, ${ill.map(({ id, state }) => `${id} ${state}`).join(", ")}`}
      to={href("/nodes")}
      tone={ill.length > 0 ? "bad" : ""}
    >
      {count}
    </Tile>
  );
}

/** The workers of all live nodes; this node's as of now. */
function workersOf({ node, workers }: GetStatusResponse): readonly Workers[] {
  const { busy = 0, count = 0 } = workers ?? {};
  const others = (overview.nodes.value ?? [])
    .filter(({ id, state }) => id !== node && LIVE.has(state))
    .map(({ id, busy, workers }) => ({ id, busy, count: workers }));
  return [{ id: node, busy, count }, ...others];
}

function WorkersTile({ status }: { readonly status: GetStatusResponse }): JSX.Element {
  const all = workersOf(status);
  const busy = all.reduce((sum, one) => sum + one.busy, 0);
  const count = all.reduce((sum, one) => sum + one.count, 0);
  return (
    <Tile
      title="workers busy"
      about={all.map((one) => `${one.id}: ${one.busy} of ${one.count}`).join(", ")}
      to={href("/nodes")}
      tone={busy >= count && count > 0 ? "late" : ""}
    >
      {busy}
      <span class="tile-of">{` / ${count}`}</span>
    </Tile>
  );
}

function Tiles({ status, totals }: {
  readonly status: GetStatusResponse;
  readonly totals: KindCounts | null;
}): JSX.Element {
  const sum = (of: "processing" | "scheduled" | "terminated" | "timed_out" | "completed") =>
    totals?.[of] ?? 0;
  const failed = sum("terminated") + sum("timed_out");
  return (
    <div class="tiles">
      <Tile title="running" to={href("/instances", { state: "processing" })}>
        {formatCount(sum("processing"))}
      </Tile>
      <Tile title="waiting" to={href("/instances", { state: "scheduled" })}>
        {formatCount(sum("scheduled"))}
      </Tile>
      <WorkersTile status={status} />
      <Tile title="completed" to={href("/instances", { state: "completed" })}>
        {formatCount(sum("completed"))}
      </Tile>
      <Tile
        title="failed"
        to={href("/instances", { state: FAILED })}
        tone={failed > 0 ? "bad" : ""}
      >
        {formatCount(failed)}
      </Tile>
      <NodeTile count={status.nodes} />
    </div>
  );
}

/** Problems that the daemon itself reports. */
function Warnings({ status }: { readonly status: GetStatusResponse }): JSX.Element | null {
  const texts = [
    ...status.store_problem === undefined ? [] : [`The store: ${status.store_problem}`],
    ...status.listener_problems ?? [],
    ...overview.problem.value === null ? [] : [`May be out of date: ${overview.problem.value}`],
    ...status.is_draining ? ["The daemon is stopping and starts no new runs"] : [],
    ...status.disabled.map(({ kind, reason }) => `The job ${kind} is disabled: ${reason}`),
  ];
  if (texts.length === 0 && status.reload_problem === undefined) return null;
  return (
    <ul class="warnings" aria-label="Problems of the daemon">
      <ReloadProblem status={status} />
      {texts.map((text) => <li key={text}>{text}</li>)}
    </ul>
  );
}

const RUNNING: readonly Column<JobInstance>[] = [
  { title: "Job", cell: ({ kind }) => <JobLink kind={kind} />, kind: "wide" },
  { title: "Instance", cell: ({ id }) => <InstanceLink id={id} isRow /> },
  { title: "Progress", cell: ({ progress }) => <ProgressBar progress={progress} /> },
  { title: "For", cell: ({ processed_at }) => <Duration from={processed_at} />, kind: "num" },
  { title: "Node", cell: ({ node }) => node, kind: "minor" },
];

/** Resource use of running instances, if known for any. */
const USED: readonly Column<JobInstance>[] = [
  {
    title: "Memory",
    cell: ({ process }) => process?.rss_bytes && roughSize(process.rss_bytes),
    kind: "num",
  },
  {
    title: "CPU",
    cell: ({ cpu_ms }) => cpu_ms === undefined ? undefined : formatDuration(cpu_ms),
    kind: "num",
  },
];

function runningColumns(instances: readonly JobInstance[]): readonly Column<JobInstance>[] {
  if (instances.every(({ process }) => process?.rss_bytes === undefined)) return RUNNING;
  return [...RUNNING.slice(0, -1), ...USED, ...RUNNING.slice(-1)];
}

/** A part of the page that waits for the first message. */
function Live<T>({ of, children }: {
  readonly of: ReadonlySignal<T | null>;
  readonly children: (value: T) => ComponentChildren;
}): JSX.Element {
  const value = of.value;
  return value === null
    ? <Skeleton isIdle={liveState.value === "ended"} />
    : <>{children(value)}</>;
}

function Running(): JSX.Element {
  const all = href("/instances", { state: "processing" });
  return (
    <Section title="Running" actions={<a href={all}>All</a>}>
      <Live of={overview.running}>
        {(instances) => (
          <Table
            label="Running instances"
            columns={runningColumns(instances)}
            rows={instances.slice(0, RUNNING_MAX)}
            keyOf={({ id }) => id}
            empty={
              <Empty title="Nothing is running" command={["schedule", "KIND"]}>
                Running instances appear here with their progress. Start one on the page of a job,
                or on the command line:
              </Empty>
            }
          />
        )}
      </Live>
    </Section>
  );
}

/** The latest failure of a job, and its number of recent failures. */
interface JobFailures {
  readonly last: JobInstance;
  readonly count: number;
}

/** One line per job: a job that fails every minute would hide the others. */
function failuresByJob(instances: readonly JobInstance[]): readonly JobFailures[] {
  const byKind = new Map<string, JobFailures>();
  for (const instance of instances) {
    const { last, count } = byKind.get(instance.kind) ?? { last: instance, count: 0 };
    byKind.set(instance.kind, { last, count: count + 1 });
  }
  return [...byKind.values()];
}

const FAILURES: readonly Column<JobFailures>[] = [
  { title: "Job", cell: ({ last }) => <JobLink kind={last.kind} /> },
  {
    title: "Failed",
    cell: ({ last: { kind }, count }) => (
      <a href={href("/instances", { kind, state: FAILED })}>{`${formatCount(count)} ×`}</a>
    ),
    kind: "num",
  },
  { title: "Last", cell: ({ last }) => <InstanceLink id={last.id} isRow /> },
  { title: "Error", cell: ({ last }) => last.error?.message ?? last.reason, kind: "wide" },
  { title: "Ended", cell: ({ last }) => <Distance at={endOf(last)} />, kind: "num" },
];

function Failures(): JSX.Element {
  return (
    <Section
      title="Recent failures"
      actions={
        <>
          <a href={href("/instances", { state: FAILED })}>All</a>
          <a href={href("/dead-letters")}>Dead letters</a>
        </>
      }
    >
      <Live of={overview.failures}>
        {(instances) => (
          <Table
            label="Recent failures"
            columns={FAILURES}
            rows={failuresByJob(instances).slice(0, FAILED_MAX)}
            keyOf={({ last }) => last.kind}
            empty={
              <Empty title="Nothing has failed">Instances that fail for good appear here.</Empty>
            }
          />
        )}
      </Live>
    </Section>
  );
}

const NEXT: readonly Column<UpcomingRun>[] = [
  { title: "Due", cell: ({ due_at }) => <Distance at={due_at} />, kind: "num" },
  { title: "At", cell: ({ due_at }) => <Time at={due_at} /> },
  {
    title: "Job",
    cell: ({ kind, instance_id: id }) => (
      <>
        <JobLink kind={kind} isRow /> {id !== undefined && <InstanceLink id={id} />}
      </>
    ),
    kind: "wide",
  },
];

function Next(): JSX.Element {
  return (
    <Section title="Due next" actions={<a href={href("/timeline")}>Timeline</a>}>
      <Live of={overview.upcoming}>
        {(runs) => (
          <Table
            label="Due next"
            columns={NEXT}
            rows={runs.slice(0, NEXT_MAX)}
            keyOf={({ instance_id, schedule_id }) => instance_id ?? schedule_id ?? ""}
            empty={
              <Empty title="Nothing is scheduled" command={["next", "0 3 * * *"]}>
                Give a job a schedule in the configuration, such as{" "}
                <code>schedule = "0 3 * * *"</code>. This shows when that runs:
              </Empty>
            }
          />
        )}
      </Live>
    </Section>
  );
}

function IncidentLine({ incident }: { readonly incident: Incident }): JSX.Element {
  const { type, name, events, count, opened_at } = incident;
  return (
    <li>
      <a data-row href={href("/incidents")}>{name || type}</a>
      <span>{events.join(", ")}</span>
      <span class="hint">
        {plural(count, "event")}, opened <Distance at={opened_at} />
      </span>
    </li>
  );
}

function Incidents(): JSX.Element {
  return (
    <Section title="Open incidents" actions={<a href={href("/incidents")}>All</a>}>
      <Live of={overview.incidents}>
        {(incidents) =>
          incidents.length > 0
            ? (
              <ul class="lines">
                {incidents.slice(0, FAILED_MAX).map((one) => (
                  <IncidentLine key={one.id} incident={one} />
                ))}
              </ul>
            )
            : (
              <Empty title="No incident is open">
                A failing job, a lost node or a full disk opens one. It closes once the problem is
                over.
              </Empty>
            )}
      </Live>
    </Section>
  );
}

/** Instances that wait for a limit, and instances that use it up. */
function BlockLinks({ block: { limit, name } }: { readonly block: Block }): JSX.Element {
  // The limit of a job has its name; the limit of a key has the key behind it.
  const first = name.split(" ", 1)[0]!;
  const kind = limit !== "pool" && overview.kinds.value.has(first) ? first : "";
  return (
    <span class="hint line-end">
      <a href={href("/instances", { kind, state: "processing" })}>Running</a>{" "}
      <a href={href("/instances", { kind, state: "scheduled" })}>Waiting</a>
    </span>
  );
}

function Blocks({ blocks }: { readonly blocks: readonly Block[] }): JSX.Element | null {
  const pauses = overview.pauses.value ?? [];
  if (blocks.length === 0 && pauses.length === 0) return null;
  return (
    <Section title="What holds instances back">
      <ul class="lines">
        {pauses.map(({ kind, until, reason }) => (
          <li key={`pause ${kind}`}>
            {kind === undefined ? <strong>Everything</strong> : <JobLink kind={kind} />}
            <span>
              is paused{reason !== "" && (
                <>
                  : <bdi>{reason}</bdi>
                </>
              )}
            </span>
            <span class="hint">
              {until === undefined ? "until it is resumed" : (
                <>
                  until <Time at={until} />
                </>
              )}
            </span>
          </li>
        ))}
        {blocks.map((block) => (
          <li key={`${block.limit} ${block.name}`}>
            <strong>{block.name}</strong>
            <span>{blockWords(block)}</span>
            <BlockLinks block={block} />
            {block.opens_at !== undefined && (
              <span class="hint">
                opens <Distance at={block.opens_at} />
              </span>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** The current state: running, due next, failed, and problems. */
export function NowPage(): JSX.Element {
  return (
    <Page title="Now" command={["status"]}>
      <Live of={overview.status}>
        {(status) => (
          <>
            <Warnings status={status} />
            <Tiles status={status} totals={overview.totals.value} />
            <Blocks blocks={status.blocks} />
          </>
        )}
      </Live>
      <div class="columns">
        <div>
          <Running />
          <Failures />
        </div>
        <div>
          <Next />
          <Incidents />
        </div>
      </div>
    </Page>
  );
}
