import type { JSX } from "preact";
import { useResource } from "../../api/resource.ts";
import { segment } from "../../api/client.ts";
import type { HistoryEntry, LookupInstanceHistoryResponse } from "../../gen/api_types.ts";
import { Loaded } from "../../parts/notes.tsx";
import { Section } from "../../parts/page.tsx";
import { StateBadge } from "../../parts/state_badge.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Duration, Time } from "../../parts/time.tsx";
import { msOf } from "../../text/format_time.ts";

/** Most entries read: an instance that is retried forever has more. */
const ENTRIES_MAX = 500;

interface Attempt {
  readonly number: number;
  readonly begin: HistoryEntry;
  /** The entry that ended it; absent while it runs. */
  readonly end: HistoryEntry | undefined;
}

/** The attempts that a history has: each from "processing" to the next entry. */
function attemptsOf(entries: readonly HistoryEntry[]): readonly Attempt[] {
  const sorted = [...entries].sort((a, b) => msOf(a.at) - msOf(b.at) || a.fence - b.fence);
  return sorted.flatMap((begin, index) =>
    begin.state === "processing" ? [{ number: begin.attempt, begin, end: sorted[index + 1] }] : []
  );
}

function columns(zone: string | undefined): readonly Column<Attempt>[] {
  return [
    { title: "Attempt", cell: ({ number }) => number, kind: "num" },
    { title: "Began", cell: ({ begin }) => <Time at={begin.at} zone={zone} /> },
    {
      title: "Took",
      cell: ({ begin, end }) => <Duration from={begin.at} to={end?.at} />,
      kind: "num",
    },
    { title: "Then", cell: ({ end }) => <StateBadge state={end?.state ?? "processing"} /> },
    { title: "Reason", cell: ({ end }) => end?.reason, kind: "wide" },
    { title: "Node", cell: ({ begin }) => begin.node, kind: "minor" },
  ];
}

function History({ entries, zone }: {
  readonly entries: readonly HistoryEntry[];
  readonly zone: string | undefined;
}): JSX.Element {
  return (
    <ol class="history">
      {entries.map(({ at, state, reason }, index) => (
        <li key={index}>
          <Time at={at} zone={zone} />
          <StateBadge state={state} />
          <span class="hint">{reason}</span>
        </li>
      ))}
    </ol>
  );
}

/** The attempts of an instance, and its states. */
export function InstanceHistory({ id, mark, zone }: {
  readonly id: string;
  /** Changes with the instance. */
  readonly mark: string;
  readonly zone: string | undefined;
}): JSX.Element {
  const history = useResource<LookupInstanceHistoryResponse>(
    `/instances/${segment(id)}/history`,
    { page_size: ENTRIES_MAX, oldest_first: true },
    { watched: [], mark },
  );
  return (
    <Loaded from={history}>
      {({ entries }) => {
        const attempts = attemptsOf(entries);
        return (
          <>
            {attempts.length > 0 && (
              <Section title="Attempts">
                <Table
                  label="Attempts"
                  columns={columns(zone)}
                  rows={attempts}
                  keyOf={({ begin }) => `${begin.fence} ${begin.at}`}
                />
              </Section>
            )}
            <Section title="History">
              <History entries={entries} zone={zone} />
            </Section>
          </>
        );
      }}
    </Loaded>
  );
}
