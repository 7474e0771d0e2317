import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { isSystemKind } from "../../../core/job/kind.ts";
import { type Resource, SLOWLY, useResource } from "../../api/resource.ts";
import { may } from "../../state/access.ts";
import { href, place } from "../../state/router.ts";
import type { Job, KindCounts, ListRegisteredJobsResponse } from "../../gen/api_types.ts";
import { overview } from "../../live/overview.ts";
import { Button } from "../../parts/button.tsx";
import { TextSearch } from "../../parts/filters.tsx";
import { JobLink } from "../../parts/instance_links.tsx";
import { Empty, Loaded } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { RateBar } from "../../parts/rate_bar.tsx";
import { ScheduleWords } from "../../parts/schedule_words.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Distance } from "../../parts/time.tsx";
import { formatCount, plural } from "../../text/format_time.ts";
import { PauseDialog, resume } from "./pause_dialog.tsx";

interface Row {
  readonly job: Job;
  readonly counts: KindCounts | undefined;
  readonly isPaused: boolean;
  readonly nextAt: string | undefined;
}

/** Most jobs listed at once; the daemon searches all for a text. */
const JOBS_MAX = 1_000;

function count(
  { job, counts }: Row,
  of: "processing" | "scheduled",
): JSX.Element | string {
  const number = counts?.[of] ?? 0;
  if (number === 0) return <span class="none">0</span>;
  return <a href={href("/instances", { kind: job.kind, state: of })}>{formatCount(number)}</a>;
}

const COLUMNS: readonly Column<Row>[] = [
  {
    title: "Job",
    cell: ({ job, isPaused }) => (
      <>
        <JobLink kind={job.kind} isRow /> {isPaused && <span class="state tone-late">paused</span>}
      </>
    ),
  },
  {
    title: "Description",
    cell: ({ job }) => <span class="faint">{job.description}</span>,
    kind: "wide minor",
  },
  {
    title: "Schedule",
    cell: ({ job }) => {
      const [first, ...others] = job.cron_specs;
      if (first === undefined) return <span class="none">–</span>;
      return (
        <>
          <ScheduleWords cron={first} />
          {others.length > 0 && <span class="hint">{` +${others.length}`}</span>}
        </>
      );
    },
    kind: "minor",
  },
  { title: "Next", cell: ({ nextAt }) => <Distance at={nextAt} />, kind: "num" },
  { title: "Running", cell: (row) => count(row, "processing"), kind: "num" },
  { title: "Waiting", cell: (row) => count(row, "scheduled"), kind: "num" },
  { title: "Succeeded", cell: ({ counts }) => <RateBar counts={counts} /> },
];

function rowsOf(jobs: readonly Job[], text: string): readonly Row[] {
  const wanted = text.toLowerCase();
  const paused = new Set((overview.pauses.value ?? []).map(({ kind }) => kind ?? "*"));
  const next = new Map<string, string | undefined>();
  for (const { kind, due_at } of overview.upcoming.value ?? []) {
    if (!next.has(kind)) next.set(kind, due_at);
  }
  return jobs.filter(({ kind, description }) =>
    kind.toLowerCase().includes(wanted) || description.toLowerCase().includes(wanted)
  ).map((job) => ({
    job,
    counts: overview.kinds.value.get(job.kind),
    isPaused: paused.has(job.kind) || paused.has("*"),
    nextAt: next.get(job.kind),
  })).sort((a, b) => Number(isSystemKind(a.job.kind)) - Number(isSystemKind(b.job.kind)));
}

function Disabled(): JSX.Element | null {
  const disabled = overview.status.value?.disabled ?? [];
  if (disabled.length === 0) return null;
  return (
    <ul class="warnings" aria-label="Disabled jobs">
      {disabled.map(({ kind, reason }) => (
        <li key={kind}>{`The job ${kind} is disabled: ${reason}`}</li>
      ))}
    </ul>
  );
}

/** Pause everything, or the jobs that the filter shows. */
function Actions({ shown, hasMore }: {
  readonly shown: readonly Row[] | null;
  /** The filter finds more jobs than are shown. */
  readonly hasMore: boolean;
}): JSX.Element | null {
  const isAsking = useSignal(false);
  if (!may("operator")) return null;
  const isPaused = (overview.pauses.value ?? []).some(({ kind }) => kind === undefined);
  const kinds = shown?.filter((row) => !row.isPaused && !isSystemKind(row.job.kind))
    .map(({ job }) => job.kind);
  const what = kinds === undefined
    ? "everything"
    : `${hasMore ? "the shown " : ""}${plural(kinds.length, "job")}`;
  return (
    <>
      {isPaused
        ? <Button onClick={() => void resume(undefined)}>Resume everything</Button>
        : (
          <Button
            disabled={kinds?.length === 0}
            onClick={() => isAsking.value = true}
          >
            {`Pause ${what}…`}
          </Button>
        )}
      {isAsking.value && <PauseDialog kinds={kinds} onClose={() => isAsking.value = false} />}
    </>
  );
}

/** The jobs with a text: searched here if all are loaded, else by the daemon. */
function useJobs(text: string): Resource<ListRegisteredJobsResponse> {
  const first = useResource<ListRegisteredJobsResponse>("/jobs", { limit: JOBS_MAX }, SLOWLY);
  const isPart = first.data !== null && first.data.jobs.length < first.data.total;
  const found = useResource<ListRegisteredJobsResponse>(
    isPart && text !== "" ? "/jobs" : null,
    { limit: JOBS_MAX, text },
    { watched: SLOWLY.watched },
  );
  return isPart && text !== "" ? found : first;
}

/** Number of jobs, and of shown ones. */
function jobsText(shown: number, total: number): string {
  return shown === total
    ? plural(total, "job")
    : `${formatCount(shown)} of ${plural(total, "job")}`;
}

/** All jobs. */
export function JobsPage(): JSX.Element {
  const text = place.value.query.get("text") ?? "";
  const jobs = useJobs(text);
  const { data } = jobs;
  const rows = data === null ? null : rowsOf(data.jobs, text);
  const hasMore = data !== null && data.jobs.length < data.matching;
  return (
    <Page
      title="Jobs"
      about={data !== null && jobsText(rows!.length, data.total)}
      command={text === "" ? ["list", "jobs"] : null}
      actions={<Actions shown={text === "" ? null : rows ?? []} hasMore={hasMore} />}
    >
      <Disabled />
      <TextSearch label="Name or description" />
      <Loaded from={jobs}>
        {({ total, matching }) => {
          if (total === 0) {
            return (
              <Empty title="The configuration has no jobs" command={["init"]}>
                A job is a command or a function in a file, with a section [jobs.NAME] in the
                configuration. This writes an example:
              </Empty>
            );
          }
          if (rows!.length === 0) {
            return (
              <Empty title={`No name or description has “${text}”`}>
                {`${plural(total, "job")} ${total === 1 ? "was" : "were"} searched.`}
              </Empty>
            );
          }
          return (
            <>
              <Table label="Jobs" columns={COLUMNS} rows={rows!} keyOf={({ job }) => job.kind} />
              {hasMore && (
                <p class="hint">
                  {`${formatCount(matching - rows!.length)} more are not shown: the filter above `}
                  finds them.
                </p>
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}
