import type { ComponentChildren, JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import {
  countWords,
  type FlowLine,
  flowLines,
  type FlowMember,
} from "../../../core/flow/flow_tree.ts";
import { parseState } from "../../../core/state.ts";
import { revision, slowRevision, useResource } from "../../api/resource.ts";
import { segment } from "../../api/client.ts";
import { second } from "../../browser/clock.ts";
import type { JobInstance, LookupInstancesResponse } from "../../gen/api_types.ts";
import { Button } from "../../parts/button.tsx";
import { Loaded } from "../../parts/notes.tsx";
import { Section } from "../../parts/page.tsx";
import { StateBadge } from "../../parts/state_badge.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Duration, Time } from "../../parts/time.tsx";
import { attempt, toastDone } from "../../parts/toasts.tsx";
import { may } from "../../state/access.ts";
import { href } from "../../state/router.ts";
import { msOf, plural } from "../../text/format_time.ts";
import { endOf, isFinished, shortId, STATES } from "../../text/instance_state.ts";
import { cancelAll } from "../instances/actions.tsx";
import { countAffected } from "../instances/instance_list.ts";

/** Most instances that are read. */
const READ_MAX = 1_000;
/** Size from which a flow is read again less often. */
const LARGE_MIN = 100;
/** Pixels of an indent, and most of them. */
const INDENT_PX = 14;
const INDENT_PX_MAX = 84;

interface Member extends FlowMember {
  readonly instance: JobInstance;
}

type Line = FlowLine<Member>;

function memberOf(instance: JobInstance): Member {
  const { id, parent_id: parentId, kind, state } = instance;
  return { id, parentId, kind, state: parseState(state), instance };
}

function isParked({ reason }: JobInstance): boolean {
  return reason === "parked";
}

function wordOf(instance: JobInstance): string {
  if (isParked(instance)) return "parked";
  return (STATES[instance.state]?.word ?? instance.state).toLowerCase();
}

/** The times of instances, as epoch milliseconds. */
interface Span {
  readonly created: number;
  /** Infinity if none has started. */
  readonly started: number;
  /** The latest known time: the end, unless `isOpen`. */
  readonly latest: number;
  /** True if one has not ended. */
  readonly isOpen: boolean;
}

function spanOf(instances: readonly JobInstance[]): Span {
  let [created, started, latest] = [Infinity, Infinity, -Infinity];
  for (const one of instances) {
    const begun = one.state === "scheduled" ? undefined : one.processed_at;
    created = Math.min(created, msOf(one.created_at));
    if (begun !== undefined) started = Math.min(started, msOf(begun));
    latest = Math.max(latest, msOf(endOf(one) ?? begun ?? one.created_at));
  }
  return { created, started, latest, isOpen: instances.some((one) => !isFinished(one)) };
}

/** The common axis of the bars in it: its length is a property of CSS, so that all grow at once. */
function Axis({ span, children }: {
  readonly span: Span;
  readonly children: ComponentChildren;
}): JSX.Element {
  // The clock of the browser may be late.
  const toMs = span.isOpen ? Math.max(span.latest, second.value) : span.latest;
  return (
    <div class="flow" style={{ "--span": Math.max(1, toMs - span.created) }}>
      {children}
    </div>
  );
}

/** The time of an instance on the axis: pale from its creation, strong from its start. */
function Bar({ line, fromMs }: { readonly line: Line; readonly fromMs: number }): JSX.Element {
  const { created, started, latest, isOpen } = spanOf(line.members.map(({ instance }) => instance));
  const { state } = line.members[0]!.instance;
  const tone = line.isSum ? "off" : STATES[state]?.tone ?? "off";
  const part = (from: number, look: string) => {
    const to = isOpen ? undefined : latest - fromMs;
    return <i class={look} style={{ "--from": from - fromMs, "--to": to }} />;
  };
  return (
    <span class={`flow-bar ink-${tone}`} aria-hidden="true">
      {part(created, "pale")}
      {started < Infinity && part(started, "strong")}
    </span>
  );
}

function Job({ line, currentId }: {
  readonly line: Line;
  readonly currentId: string;
}): JSX.Element {
  const { kind, level, members, isSum } = line;
  const { id } = members[0]!;
  const paddingLeft = `${Math.min(level * INDENT_PX, INDENT_PX_MAX)}px`;
  return (
    <span class="flow-job" style={{ paddingLeft }}>
      <span class="offscreen">{`Level ${level + 1}: `}</span>
      {level > 0 && <span aria-hidden="true" class="faint branch">└</span>}
      {isSum ? `${kind} × ${members.length}` : (
        <a
          data-row
          href={href(`/instances/${segment(id)}`)}
          title={`${kind} ${id}`}
          aria-label={`${kind} ${shortId(id)}`}
          aria-current={id === currentId ? "page" : undefined}
        >
          {kind}
        </a>
      )}
    </span>
  );
}

function columns(options: {
  readonly currentId: string;
  readonly fromMs: number;
  readonly zone: string | undefined;
}): readonly Column<Line>[] {
  const { currentId, fromMs, zone } = options;
  const cellOfOne = (cell: (instance: JobInstance) => JSX.Element) => ({ isSum, members }: Line) =>
    isSum ? null : cell(members[0]!.instance);
  return [
    { title: "Job", cell: (line) => <Job line={line} currentId={currentId} /> },
    {
      title: "State",
      cell: ({ isSum, members }) => {
        if (isSum) return countWords(members.map(({ instance }) => wordOf(instance)));
        const { instance } = members[0]!;
        const word = isParked(instance) ? "Parked" : undefined;
        return <StateBadge state={instance.state} word={word} />;
      },
    },
    {
      title: "Started",
      cell: cellOfOne(({ processed_at }) => <Time at={processed_at} zone={zone} />),
      kind: "minor",
    },
    {
      title: "Took",
      cell: cellOfOne((one) => <Duration from={one.processed_at} to={endOf(one)} />),
      kind: "num",
    },
    { title: "Time", cell: (line) => <Bar line={line} fromMs={fromMs} />, kind: "wide" },
  ];
}

/** Count the instances that a cancel would change, then ask. */
async function cancelFlow(flowId: string): Promise<void> {
  const query = { flow_id: flowId };
  const affected = await countAffected("cancel", query);
  if (affected.count === 0 && !affected.has_more) return toastDone("All of them have ended");
  await cancelAll({
    ...affected,
    query,
    about: "All of this flow.",
    command: ["cancel", "instances", "--flow", flowId],
  });
}

function Tree({ instances, currentId, zone }: {
  readonly instances: readonly JobInstance[];
  readonly currentId: string;
  readonly zone: string | undefined;
}): JSX.Element {
  const span = useMemo(() => spanOf(instances), [instances]);
  const table = useMemo(() => (
    <Table
      label="Flow"
      columns={columns({ currentId, fromMs: span.created, zone })}
      rows={flowLines(instances.map(memberOf), currentId)}
      keyOf={({ isSum, kind, members }) =>
        isSum ? `${kind} of ${members[0]!.parentId}` : members[0]!.id}
      rowClass={({ isSum, members }) =>
        !isSum && members[0]!.id === currentId ? "selected" : undefined}
    />
  ), [instances, currentId, zone]);
  const time = (ms: number) => <Time at={new Date(ms).toISOString()} zone={zone} />;
  return (
    <>
      <Axis span={span}>{table}</Axis>
      <p class="hint">
        The bars are from {time(span.created)} to {span.isOpen ? "now" : time(span.latest)}
        : pale from the creation, strong from the latest start.
      </p>
    </>
  );
}

/** The flow of an instance as a tree, with a bar over time for each; nothing without a flow. */
export function InstanceFlow({ instance, mark, zone }: {
  readonly instance: JobInstance;
  readonly mark: string;
  readonly zone: string | undefined;
}): JSX.Element | null {
  const { id, flow_id: flowId } = instance;
  const isLarge = useSignal(false);
  const flow = useResource<LookupInstancesResponse>(
    flowId === undefined ? null : "/instances",
    { flow_id: flowId, oldest_first: true, page_size: READ_MAX, brief: true },
    { watched: [isLarge.value ? slowRevision : revision], mark },
  );
  const read = flow.data?.instances ?? [];
  useEffect(() => {
    isLarge.value = read.length >= LARGE_MIN;
  }, [read.length]);
  // The current one may be beyond those that were read.
  const instances = useMemo(
    () => read.some((one) => one.id === id) ? read : [...read, instance],
    [flow.data, id],
  );
  if (flowId === undefined) return null;
  const isAny = may("operator") && instances.some((one) => !isFinished(one));
  const actions = (
    <>
      <a href={href("/instances", { flow: flowId })}>As a list</a>
      {isAny && (
        <Button
          class="button button-danger"
          onClick={() => void attempt(() => cancelFlow(flowId))}
        >
          Cancel the flow…
        </Button>
      )}
    </>
  );
  return (
    <Section title="Flow" actions={actions}>
      <Loaded from={flow}>
        {({ next_page_token }) => (
          <>
            <p class="hint">
              {next_page_token !== undefined && "The first "}
              {`${plural(read.length, "instance")}: ${countWords(read.map(wordOf))}`}
            </p>
            <Tree instances={instances} currentId={id} zone={zone} />
          </>
        )}
      </Loaded>
    </Section>
  );
}
