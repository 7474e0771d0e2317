import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { post, remove, segment } from "../api/client.ts";
import { useResource } from "../api/resource.ts";
import { may } from "../state/access.ts";
import { href, place } from "../state/router.ts";
import { change, toastDone } from "../parts/toasts.tsx";
import type {
  ExplainResponse,
  ListSchedulesResponse,
  RunScheduleResponse,
  Schedule,
} from "../gen/api_types.ts";
import { Button } from "../parts/button.tsx";
import { ask } from "../parts/dialog.tsx";
import { TextSearch } from "../parts/filters.tsx";
import { JobLink } from "../parts/instance_links.tsx";
import { Empty, Loaded } from "../parts/notes.tsx";
import { Page, Section } from "../parts/page.tsx";
import { ScheduleWords } from "../parts/schedule_words.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Distance, Time } from "../parts/time.tsx";
import { formatCount, plural } from "../text/format_time.ts";
import { shortId } from "../text/instance_state.ts";
import { TickList } from "./jobs/tick_list.tsx";

const SCHEDULES_MAX = 1_000;
const TICKS_MAX = 20;

async function runNow({ id, kind }: Schedule): Promise<void> {
  await change(async () => {
    const { instance } = await post<RunScheduleResponse>(`/schedules/${segment(id)}/run`, { kind });
    toastDone(`${kind} runs now as ${shortId(instance!.id)}`, {
      link: { href: href(`/instances/${segment(instance!.id)}`), text: "Show" },
    });
  });
}

async function skipNext({ id, kind }: Schedule, count: number): Promise<void> {
  await change(async () => {
    await post(`/schedules/${segment(id)}/skip`, { kind, count });
    toastDone(count === 0 ? "Nothing is skipped" : `The next tick of ${kind} is skipped`, {
      undo: count === 0 ? undefined : () => skipNext({ id, kind } as Schedule, 0),
    });
  });
}

async function deleteSchedule({ id, kind, cron }: Schedule): Promise<void> {
  const isYes = await ask({
    title: "Delete the schedule?",
    text: (
      <>
        {kind} will not run <ScheduleWords cron={cron} />{" "}
        any more. Its instances stay. This cannot be undone.
      </>
    ),
    command: ["delete", "schedule", id],
    verb: "Delete it",
    isDangerous: true,
  });
  if (!isYes) return;
  await change(async () => {
    await remove(`/schedules/${segment(id)}`);
    toastDone("The schedule is deleted");
  });
}

function RowActions({ schedule, onTicks }: {
  readonly schedule: Schedule;
  readonly onTicks: (schedule: Schedule) => void;
}): JSX.Element {
  const isSkipping = schedule.skip_next > 0 || schedule.skip_until !== undefined;
  return (
    <span class="row-actions">
      <Button class="plain" onClick={() => onTicks(schedule)}>Ticks</Button>
      {may("operator") && (
        <>
          <Button class="plain" onClick={() => void runNow(schedule)}>Run now</Button>
          <Button
            class="plain"
            onClick={() => void skipNext(schedule, isSkipping ? 0 : 1)}
          >
            {isSkipping ? "Do not skip" : "Skip next"}
          </Button>
        </>
      )}
      {may("admin") && schedule.origin === "runtime" && (
        <Button
          class="plain"
          onClick={() => void deleteSchedule(schedule)}
        >
          Delete…
        </Button>
      )}
    </span>
  );
}

function Status({ schedule }: { readonly schedule: Schedule }): JSX.Element {
  const { status, skip_next } = schedule;
  const isSkipping = skip_next > 0 || schedule.skip_until !== undefined;
  if (isSkipping) return <span class="state tone-late">skips</span>;
  return (
    <span
      class={`state tone-${status === "active" ? "good" : status === "paused" ? "late" : "off"}`}
    >
      {status}
    </span>
  );
}

function columns(onTicks: (schedule: Schedule) => void): readonly Column<Schedule>[] {
  return [
    { title: "Job", cell: ({ kind }) => <JobLink kind={kind} isRow /> },
    { title: "Runs", cell: ({ cron }) => <ScheduleWords cron={cron} />, kind: "wide" },
    { title: "Zone", cell: ({ timezone }) => timezone, kind: "minor" },
    { title: "Status", cell: (one) => <Status schedule={one} /> },
    {
      title: "Next",
      cell: ({ next_run_at, timezone }) => (
        <>
          <Time at={next_run_at} zone={timezone} />{" "}
          <span class="hint">
            <Distance at={next_run_at} />
          </span>
        </>
      ),
    },
    { title: "Last", cell: ({ last_run_at }) => <Distance at={last_run_at} />, kind: "minor" },
    { title: "Ran", cell: ({ runs }) => formatCount(runs), kind: "minor" },
    {
      title: "Actions",
      isUntitled: true,
      cell: (one) => <RowActions schedule={one} onTicks={onTicks} />,
    },
  ];
}

function Ticks({ schedule }: { readonly schedule: Schedule }): JSX.Element {
  const { kind, id } = schedule;
  const ticks = useResource<ExplainResponse>(`/jobs/${segment(kind)}/explain`, {
    limit: TICKS_MAX,
  });
  return (
    <Section title={`Ticks of ${kind}`}>
      <Loaded from={ticks}>
        {({ reports }) => {
          const own = reports.filter((report) => report.schedule?.id === id);
          const shown = [...own.length > 0 ? own : reports]
            .sort((a, b) => (a.at ?? "") < (b.at ?? "") ? 1 : -1);
          return shown.length > 0
            ? <TickList reports={shown} />
            : <Empty title="It had no tick yet">Each tick appears here with its outcome.</Empty>;
        }}
      </Loaded>
    </Section>
  );
}

function schedulesText({ schedules, next_page_token }: ListSchedulesResponse): string {
  const text = plural(schedules.length, "schedule");
  return next_page_token === undefined ? text : `The first ${text}`;
}

/** All recurring schedules, and the outcomes of their ticks. */
export function SchedulesPage(): JSX.Element {
  const text = place.value.query.get("text") ?? "";
  const chosen = useSignal<Schedule | null>(null);
  const schedules = useResource<ListSchedulesResponse>("/schedules", { page_size: SCHEDULES_MAX });
  const wanted = text.toLowerCase();
  return (
    <Page
      title="Schedules"
      about={schedules.data !== null && schedulesText(schedules.data)}
      command={chosen.value !== null
        ? ["explain", chosen.value.kind]
        : text === ""
        ? ["list", "schedules"]
        : null}
    >
      <TextSearch label="Job" />
      {chosen.value !== null && <Ticks key={chosen.value.id} schedule={chosen.value} />}
      <Loaded from={schedules}>
        {(data) => {
          const shown = data.schedules.filter(({ kind }) => kind.toLowerCase().includes(wanted))
            .sort((a, b) => (a.next_run_at ?? "9") < (b.next_run_at ?? "9") ? -1 : 1);
          if (shown.length === 0 && text !== "") {
            return (
              <Empty title={`No job with a schedule has “${text}” in its name`}>
                {`${schedulesText(data)} ${data.schedules.length === 1 ? "was" : "were"} searched.`}
              </Empty>
            );
          }
          return (
            <Table
              label="Schedules"
              columns={columns((one) => chosen.value = one)}
              rows={shown}
              keyOf={({ id }) => id}
              empty={
                <Empty title="There is no schedule" command={["next", "0 3 * * 1-5"]}>
                  A schedule says when a job runs. Put <code>schedule = "0 3 * * 1-5"</code>{" "}
                  into the section of the job. This shows when that is:
                </Empty>
              }
            />
          );
        }}
      </Loaded>
    </Page>
  );
}
