import type { JSX } from "preact";
import type { TickReport } from "../../gen/api_types.ts";
import { InstanceLink, JobLink } from "../../parts/instance_links.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";

/** How an outcome of a tick is called, and its color. */
const OUTCOMES: Readonly<Record<string, readonly [word: string, tone: string]>> = {
  ran: ["ran", "good"],
  running: ["running", "run"],
  waiting: ["waiting", "wait"],
  expected: ["expected", "wait"],
  skipped: ["skipped", "late"],
  coalesced: ["coalesced", "off"],
  missed: ["missed", "bad"],
  pending: ["planned", "off"],
  none: ["no tick", "off"],
};

function columns(hasKind: boolean): Column<TickReport>[] {
  const kind: Column<TickReport> = { title: "Job", cell: (one) => <JobLink kind={one.kind} /> };
  return [
    {
      title: "Tick",
      cell: ({ at, schedule }) => <Time at={at} zone={schedule?.timezone} />,
    },
    ...(hasKind ? [kind] : []),
    {
      title: "Outcome",
      cell: ({ outcome }) => {
        const [word, tone] = OUTCOMES[outcome] ?? [outcome, "off"];
        return <span class={`state tone-${tone}`}>{word}</span>;
      },
    },
    { title: "Why", cell: ({ why }) => <span title={why}>{why}</span>, kind: "wide" },
    {
      title: "Instance",
      cell: ({ instance }) => instance === undefined ? "" : <InstanceLink id={instance.id} isRow />,
    },
  ];
}

/** What became of ticks, and why. */
export function TickList({ reports, hasKind = false }: {
  readonly reports: readonly TickReport[];
  readonly hasKind?: boolean;
}): JSX.Element {
  return (
    <Table
      label="Ticks and what became of them"
      columns={columns(hasKind)}
      rows={reports}
      keyOf={({ kind, at, schedule }) => `${kind} ${schedule?.id} ${at}`}
    />
  );
}
