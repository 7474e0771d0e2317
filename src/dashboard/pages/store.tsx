import type { JSX } from "preact";
import { roughSize } from "../../core/text/size.ts";
import { SLOWLY, useResource } from "../api/resource.ts";
import { seesAll } from "../state/access.ts";
import { href } from "../state/router.ts";
import type { GetStatusResponse, GetStoreResponse, KindCounts } from "../gen/api_types.ts";
import { CopyCommand } from "../parts/command.tsx";
import { Facts } from "../parts/facts.tsx";
import { JobLink } from "../parts/instance_links.tsx";
import { Empty, Loaded } from "../parts/notes.tsx";
import { Page, Section } from "../parts/page.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { formatCount } from "../text/format_time.ts";
import { countIn, SHOWN_STATES, STATES } from "../text/instance_state.ts";

const COLUMNS: readonly Column<KindCounts>[] = [
  { title: "Job", cell: ({ kind }) => <JobLink kind={kind} isRow />, kind: "wide" },
  ...SHOWN_STATES.map((state): Column<KindCounts> => ({
    title: state === "scheduled" ? "Waiting" : STATES[state].word,
    kind: "num",
    cell: (counts) => {
      const count = countIn(counts, state);
      if (count === 0) return <span class="none">0</span>;
      return <a href={href("/instances", { kind: counts.kind, state })}>{formatCount(count)}</a>;
    },
  })),
];

/** Actions of the command line on a store, which need time or a file. */
const WORK: readonly (readonly [words: readonly string[], text: string])[] = [
  [["store", "verify"], "Check for inconsistencies"],
  [["store", "gc"], "Delete expired and orphaned records now"],
  [["store", "backup", "jobctl.backup"], "Save everything to a file, while jobs run"],
];

/** The store's content beside instances, and its size. */
function Content(): JSX.Element {
  const store = useResource<GetStoreResponse>("/store", {}, SLOWLY);
  const size = (bytes: number | undefined) => bytes === undefined ? undefined : roughSize(bytes);
  return (
    <Section title="Contents and size">
      <Loaded from={store}>
        {({ bytes, free_bytes, wal_bytes, oldest_at, backup_at, ...data }) => (
          <Facts
            facts={[
              ["Size", size(bytes) ?? "the store does not say"],
              ["Free in it", size(free_bytes)],
              ["Write-ahead log", size(wal_bytes)],
              ["Oldest instance", oldest_at === undefined ? "none" : <Time at={oldest_at} />],
              [
                "Last backup by schedule",
                backup_at === undefined ? "none" : <Time at={backup_at} />,
              ],
              ["Jobs with instances", formatCount(data.kinds)],
              ["Pauses", data.pauses],
              ["Durable", data.is_durable ? "yes" : "no: everything is lost when it ends"],
              ["Format", data.format],
              ["Id", <code class="whole">{data.id}</code>],
            ]}
          />
        )}
      </Loaded>
    </Section>
  );
}

function sizeOf(counts: KindCounts): number {
  return SHOWN_STATES.reduce((sum, state) => sum + countIn(counts, state), 0);
}

function Shown({ status }: { readonly status: GetStatusResponse }): JSX.Element {
  const kinds = [...status.kinds].sort((a, b) => sizeOf(b) - sizeOf(a));
  const total = kinds.reduce((sum, one) => sum + sizeOf(one), 0);
  return (
    <>
      {status.store_problem !== undefined && (
        <ul class="warnings">
          <li>{status.store_problem}</li>
        </ul>
      )}
      <div class="columns columns-detail">
        <Section title="Instances by job">
          <Table
            label="Instances by job"
            columns={COLUMNS}
            rows={kinds}
            keyOf={({ kind }) => kind}
            empty={
              <Empty title="The store is empty">Every accepted run of a job is kept here.</Empty>
            }
          />
        </Section>
        <div>
          <Section title="About">
            <Facts
              facts={[
                ["Type", status.store_type],
                ["Location", <code class="whole">{status.store_location}</code>],
                ["Instances", formatCount(total)],
                ["Schedules", formatCount(status.schedules)],
                ["Nodes", status.nodes],
              ]}
            />
          </Section>
          {seesAll() && <Content />}
          <Section title="On the command line">
            <ul class="lines">
              {WORK.map(([words, text]) => (
                <li key={text}>
                  <CopyCommand words={words} />
                  <span class="hint">{text}</span>
                </li>
              ))}
            </ul>
          </Section>
        </div>
      </div>
    </>
  );
}

/** The content of the store. */
export function StorePage(): JSX.Element {
  const status = useResource<GetStatusResponse>("/status");
  return (
    <Page title="Store" command={["store", "info"]}>
      <Loaded from={status}>{(data) => <Shown status={data} />}</Loaded>
    </Page>
  );
}
