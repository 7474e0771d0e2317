import type { JSX } from "preact";
import type { TickReport } from "../../gen/api_types.ts";
import { InstanceLink } from "../../parts/instance_links.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";

/** Name of a tick's outcome, and its color. */
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

function columns(hasRule: boolean): Column<TickReport>[] {
  return [
    {
      title: "Tick",
      cell: ({ at, schedule }) => <Time at={at} zone={schedule?.timezone} />,
    },
    {
      title: "Outcome",
      cell: ({ outcome }) => {
        const [word, tone] = OUTCOMES[outcome] ?? [outcome, "off"];
        return <span class={`state tone-${tone}`}>{word}</span>;
      },
    },
    {
      title: "Why",
      cell: ({ why, rule, outcome }) => (
        <>
          <span class={outcome === "ran" ? "one-line" : undefined} title={why}>{why}</span>
          {hasRule && <span class="tick-rule hint">{rule}</span>}
        </>
      ),
      kind: "text",
    },
    {
      title: "Instance",
      cell: ({ instance }) => instance === undefined ? "" : <InstanceLink id={instance.id} isRow />,
    },
  ];
}

/** Outcomes of ticks, and their reasons. */
export function TickList({ reports, hasRule = false }: {
  readonly reports: readonly TickReport[];
  /** True to show the rule of each tick, too: it shows the effect of a clock change. */
  readonly hasRule?: boolean;
}): JSX.Element {
  return (
    <Table
      label="Ticks and what became of them"
      columns={columns(hasRule)}
      rows={reports}
      keyOf={({ kind, at, schedule }) => `${kind} ${schedule?.id} ${at}`}
    />
  );
}
