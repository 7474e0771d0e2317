import type { JSX } from "preact";
import type { Signal } from "@preact/signals";
import type { JobInstance } from "../../gen/api_types.ts";
import { InstanceLink, JobLink } from "../../parts/instance_links.tsx";
import { ProgressBar } from "../../parts/progress_bar.tsx";
import { StateBadge } from "../../parts/state_badge.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Distance, Duration, Time } from "../../parts/time.tsx";
import { argumentsText } from "../../text/argument_text.ts";
import { endOf, shortId } from "../../text/instance_state.ts";
import { blockWords } from "../../text/limit_words.ts";

/** Ids that the reader has selected. */
export type SelectedIds = Signal<ReadonlySet<string>>;

function toggled(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(ids);
  if (!next.delete(id)) next.add(id);
  return next;
}

/** Details of a row beyond its job: error, progress, reason for waiting, or arguments. */
function About({ instance }: { readonly instance: JobInstance }): JSX.Element {
  const { error, progress, state, blocked_by, frozen_at, arguments: given } = instance;
  if (error !== undefined && state !== "completed") {
    return <span class="bad-text">{error.message}</span>;
  }
  if (state === "processing" && progress !== undefined) return <ProgressBar progress={progress} />;
  if (frozen_at !== undefined) return <span class="late-text">frozen</span>;
  if (blocked_by !== undefined) {
    return (
      <span class="late-text">{`waits for ${blocked_by.name}: ${blockWords(blocked_by)}`}</span>
    );
  }
  return <code class="faint">{argumentsText(given ?? [])}</code>;
}

/** Start or due time. */
function Started({ instance }: { readonly instance: JobInstance }): JSX.Element {
  const { state, due_at, processed_at } = instance;
  if (state !== "scheduled") return <Time at={processed_at} />;
  return (
    <span class="hint">
      due <Distance at={due_at} />
    </span>
  );
}

const KIND: Column<JobInstance> = { title: "Job", cell: ({ kind }) => <JobLink kind={kind} /> };

const LAST: readonly Column<JobInstance>[] = [
  { title: "Attempts", cell: ({ attempts }) => attempts ?? 0, kind: "num" },
  { title: "Node", cell: ({ node }) => node, kind: "minor" },
];

function columns(selected: SelectedIds | undefined, hasKind: boolean): Column<JobInstance>[] {
  const box: Column<JobInstance> = {
    title: "Select",
    isUntitled: true,
    kind: "tight",
    cell: ({ id }) => (
      <input
        type="checkbox"
        aria-label={`Select ${shortId(id)}`}
        checked={selected!.value.has(id)}
        onChange={() => selected!.value = toggled(selected!.value, id)}
      />
    ),
  };
  return [
    ...(selected === undefined ? [] : [box]),
    { title: "State", cell: ({ state }) => <StateBadge state={state} /> },
    ...(hasKind ? [KIND] : []),
    { title: "Instance", cell: ({ id }) => <InstanceLink id={id} isRow /> },
    { title: "About", cell: (one) => <About instance={one} />, kind: "wide" },
    // The list is in the order of this.
    { title: "Created", cell: ({ created_at }) => <Time at={created_at} />, kind: "num" },
    { title: "Started", cell: (one) => <Started instance={one} />, kind: "num" },
    {
      title: "Took",
      cell: (one) => <Duration from={one.processed_at} to={endOf(one)} />,
      kind: "num",
    },
    // The page of a job has room for the rest only.
    ...(hasKind ? LAST : []),
  ];
}

/** A list of instances; with check boxes if some can be selected. */
export function InstanceTable(
  { instances, selected, label = "Instances", hasKind = true }: {
    readonly instances: readonly JobInstance[];
    readonly selected?: SelectedIds;
    readonly label?: string;
    /** False for instances of one job. */
    readonly hasKind?: boolean;
  },
): JSX.Element {
  return (
    <Table
      label={label}
      columns={columns(selected, hasKind)}
      rows={instances}
      keyOf={({ id }) => id}
      rowClass={({ id }) => selected?.value.has(id) ? "selected" : undefined}
    />
  );
}
