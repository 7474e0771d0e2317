import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { get, segment } from "../../api/client.ts";
import { type Resource, SLOWLY, useLoaded, useResource } from "../../api/resource.ts";
import { may } from "../../state/access.ts";
import { href, place, setQuery } from "../../state/router.ts";
import { shownZone } from "../../state/settings.ts";
import { RunForm } from "../../forms/run_form.tsx";
import type {
  ExplainResponse,
  ForecastResponse,
  GetJobResponse,
  Job,
  KindCounts,
  ListSchedulesResponse,
  LookupInstancesResponse,
  Schedule,
} from "../../gen/api_types.ts";
import { overview } from "../../live/overview.ts";
import { Button } from "../../parts/button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { Facts } from "../../parts/facts.tsx";
import { Empty, Loaded } from "../../parts/notes.tsx";
import { Page, type PageProps, Section } from "../../parts/page.tsx";
import { RateBar } from "../../parts/rate_bar.tsx";
import { ScheduleWords } from "../../parts/schedule_words.tsx";
import { Distance, Time } from "../../parts/time.tsx";
import { dayStart, formatCount, formatDuration, nextDate } from "../../text/format_time.ts";
import { InstanceTable } from "../instances/instance_table.tsx";
import { JobStats } from "./job_stats.tsx";
import { BackfillDialog } from "./backfill_dialog.tsx";
import { PauseDialog, resume } from "./pause_dialog.tsx";
import { TickList } from "./tick_list.tsx";
import { nowMs } from "../../browser/clock.ts";

const RUNS = 5;
/** The daemon looks ahead this far for frequent runs, else nearly as far as it can. */
const NEAR_MS = 12 * 3_600_000;
const FAR_MS = 31 * 86_400_000;
/** More runs in that time would be counted instead of listed. */
const LISTED_MAX = 1_000;

/** The next runs of a job, as the scheduler will decide on them. */
function NextRuns({ kind }: { readonly kind: string }): JSX.Element | null {
  const forecast = useLoaded(kind, async (signal) => {
    const read = (aheadMs: number) =>
      get<ForecastResponse>("/forecast", {
        to: new Date(nowMs() + aheadMs).toISOString(),
        kinds: [kind],
        limit: LISTED_MAX,
      }, signal);
    const near = await read(NEAR_MS);
    const { entries } = near.entries.length >= RUNS ? near : await read(FAR_MS);
    return entries.slice(0, RUNS);
  }, SLOWLY);
  const entries = forecast.data ?? [];
  if (entries.length === 0) return null;
  return (
    <Section
      title="Next runs"
      actions={<a href={href("/timeline", { kind })}>Timeline</a>}
    >
      <ul class="lines">
        {entries.map(({ at, outcome, why, schedule_id, instance_id, clock_change }) => (
          <li key={`${schedule_id ?? instance_id} ${at}`}>
            <Time at={at} />
            <span class="hint">
              <Distance at={at} />
            </span>
            {outcome !== "runs" && <span class="state tone-late">{outcome}</span>}
            {(outcome !== "runs" || clock_change !== undefined) && (
              <span class="line-end hint">{clock_change ?? why}</span>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

const INSTANCES_MAX = 20;
const TICKS_MAX = 10;

type OpenDialog = "run" | "pause" | "backfill" | null;

function Actions({ job }: { readonly job: Job }): JSX.Element | null {
  const open = useSignal<OpenDialog>(place.peek().query.has("run") ? "run" : null);
  if (!may("operator")) return null;
  const isPaused = (overview.pauses.value ?? []).some(({ kind }) => kind === job.kind);
  const close = () => open.value = null;
  return (
    <>
      <Button class="button button-main" onClick={() => open.value = "run"}>Run…</Button>
      {isPaused
        ? <Button onClick={() => void resume([job.kind])}>Resume</Button>
        : <Button onClick={() => open.value = "pause"}>Pause…</Button>}
      {job.cron_specs.length > 0 && (
        <Button onClick={() => open.value = "backfill"}>Backfill…</Button>
      )}
      {open.value === "run" && (
        <Dialog title={`Run ${job.kind}`} onClose={close} isWide>
          <RunForm job={job} onDone={close} />
        </Dialog>
      )}
      {open.value === "pause" && <PauseDialog kinds={[job.kind]} onClose={close} />}
      {open.value === "backfill" && <BackfillDialog kind={job.kind} onClose={close} />}
    </>
  );
}

function Paused({ kind }: { readonly kind: string }): JSX.Element | null {
  const pause = (overview.pauses.value ?? []).find((one) =>
    one.kind === kind || one.kind === undefined
  );
  if (pause === undefined) return null;
  const { until, reason } = pause;
  return (
    <p class="banner banner-late">
      {pause.kind === undefined ? "Everything is paused" : "Paused"}
      {until === undefined ? " until it is resumed" : (
        <>
          {" until "}
          <Time at={until} />
        </>
      )}
      {reason === "" ? "." : (
        <>
          : <bdi>{reason}</bdi>
        </>
      )}
    </p>
  );
}

/** The tags that a job needs, as links to the instances of all such jobs. */
function Needs({ tags }: { readonly tags: readonly string[] }): JSX.Element {
  return (
    <>
      {tags.map((tag, index) => (
        <span key={tag}>
          {index > 0 && ", "}
          <a href={href("/instances", { tag })}>{tag}</a>
        </span>
      ))}
    </>
  );
}

function JobFacts({ job, counts }: {
  readonly job: Job;
  readonly counts: KindCounts | undefined;
}): JSX.Element {
  const { notices, hook } = job;
  const link = (state: string, count: number | undefined) => (
    <a href={href("/instances", { kind: job.kind, state })}>{formatCount(count ?? 0)}</a>
  );
  return (
    <Facts
      facts={[
        ["Running", link("processing", counts?.processing)],
        ["Waiting", link("scheduled", counts?.scheduled)],
        ["Succeeded, of all kept", <RateBar counts={counts} />],
        ["Usage", <code>{job.usage}</code>],
        ["Limits", job.limits.join("; ")],
        ["Time limit", job.timeout_ms > 0 ? formatDuration(job.timeout_ms) : "none"],
        ["Retries", job.max_retries < 0 ? "unlimited" : job.max_retries],
        ["Priority", job.priority],
        ["Runs in", job.isolation],
        ["Needs", job.needs.length > 0 ? <Needs tags={job.needs} /> : undefined],
        ["Zone", job.timezone],
        ["Hook", hook && <code class="whole">{`POST ${hook.url ?? hook.path}`}</code>],
        ["Verified by", hook?.verify],
        ["Hook passes", lines(hook?.passes)],
        ["Hook only", lines(hook?.only)],
        ["Expected", notices?.expect.join("; ")],
        ["Notices to", notices?.notify.join(", ")],
        ["Source", <code class="whole">{job.source}</code>],
        ["Registered", <Time at={job.registered_at} />],
      ]}
    />
  );
}

/** Texts, one per line; null without any. */
function lines(texts: readonly string[] = []): JSX.Element | null {
  if (texts.length === 0) return null;
  return (
    <>
      {texts.map((text) => (
        <div key={text}>
          <code class="whole">{text}</code>
        </div>
      ))}
    </>
  );
}

function ScheduleLine({ schedule }: { readonly schedule: Schedule }): JSX.Element {
  const { cron, timezone, next_run_at, status, overlap, misfire, skip_next, skip_until } = schedule;
  return (
    <li>
      <ScheduleWords cron={cron} />
      <span class="hint">{timezone}</span>
      {status !== "active" && <span class="state tone-late">{status}</span>}
      {(skip_next > 0 || skip_until !== undefined) && (
        <span class="state tone-late">
          {skip_next > 0 ? `skips ${skip_next}` : "skips"}
        </span>
      )}
      <span class="hint">{`overlap ${overlap}, misfire ${misfire}`}</span>
      <span class="line-end">
        <Time at={next_run_at} zone={timezone} />
        <span class="hint">
          <Distance at={next_run_at} />
        </span>
      </span>
    </li>
  );
}

function Schedules({ kind, schedules }: {
  readonly kind: string;
  readonly schedules: Resource<ListSchedulesResponse>;
}): JSX.Element {
  return (
    <Section
      title="Schedules"
      actions={<a href={href("/schedules", { text: kind })}>All schedules</a>}
    >
      <Loaded from={schedules}>
        {(data) =>
          data.schedules.length === 0
            ? (
              <Empty
                title="It has no schedule"
                command={["schedule", kind, "--cron", "0 3 * * *"]}
              >
                It runs when somebody asks for it. This makes it run every night:
              </Empty>
            )
            : (
              <ul class="lines">
                {data.schedules.map((one) => <ScheduleLine key={one.id} schedule={one} />)}
              </ul>
            )}
      </Loaded>
    </Section>
  );
}

/** Outcomes of the last ticks, or of the day in the page's URL. */
function Ticks({ job }: { readonly job: Job }): JSX.Element {
  const day = place.value.query.get("day") ?? "";
  const hasDay = /^\d{4}-\d\d-\d\d$/.test(day);
  const zone = shownZone(job.timezone);
  const from = hasDay ? dayStart(day, zone) : 0;
  const query = hasDay
    ? { at: new Date(from).toISOString(), span_ms: dayStart(nextDate(day), zone) - from }
    : { limit: TICKS_MAX };
  const ticks = useResource<ExplainResponse>(`/jobs/${segment(job.kind)}/explain`, query, SLOWLY);
  return (
    <Section
      title="Ticks"
      actions={
        <label class="section-field">
          on{" "}
          <input
            type="date"
            class="input"
            aria-label="Ticks of the day"
            title="Ticks of the day"
            value={day}
            onChange={(event) => setQuery({ day: event.currentTarget.value })}
          />
        </label>
      }
    >
      <Loaded from={ticks}>
        {({ reports }) => {
          const shown = [...reports].sort((a, b) => (a.at ?? "") < (b.at ?? "") ? 1 : -1);
          return shown.length > 0
            ? <TickList reports={shown} hasRule={hasDay} />
            : <Empty title="No tick yet">Each tick appears here with its outcome.</Empty>;
        }}
      </Loaded>
    </Section>
  );
}

function Instances({ kind }: { readonly kind: string }): JSX.Element {
  const instances = useResource<LookupInstancesResponse>("/instances", {
    kind,
    page_size: INSTANCES_MAX,
    brief: true,
  });
  return (
    <Section title="Instances" actions={<a href={href("/instances", { kind })}>All</a>}>
      <Loaded from={instances}>
        {(data) =>
          data.instances.length === 0
            ? <Empty title="It has not run yet" command={["schedule", kind]} />
            : (
              <InstanceTable
                instances={data.instances}
                label={`Instances of ${kind}`}
                hasKind={false}
              />
            )}
      </Loaded>
    </Section>
  );
}

function Shown({ job }: { readonly job: Job }): JSX.Element {
  const { kind } = job;
  const schedules = useResource<ListSchedulesResponse>("/schedules", { kind });
  const hasSchedule = (schedules.data?.schedules.length ?? 0) > 0;
  return (
    <Page
      title={kind}
      about={job.description}
      command={["describe", "job", kind]}
      actions={<Actions job={job} />}
    >
      <Paused kind={kind} />
      <div class="columns columns-detail">
        <div>
          <Schedules kind={kind} schedules={schedules} />
          {hasSchedule && <NextRuns kind={kind} />}
          <JobStats kind={kind} />
          {hasSchedule && <Ticks job={job} />}
          <Instances kind={kind} />
        </div>
        <div>
          <Section title="About">
            <JobFacts job={job} counts={overview.kinds.value.get(kind)} />
          </Section>
        </div>
      </div>
    </Page>
  );
}

/** One job: its schedules with outcomes of their ticks, its runs, and the form that runs it. */
export function JobPage({ params }: PageProps): JSX.Element {
  const kind = params.kind!;
  const found = useResource<GetJobResponse>(`/jobs/${segment(kind)}`);
  const job = found.data?.job;
  if (job !== undefined) return <Shown job={job} />;
  return (
    <Page title={kind} command={["describe", "job", kind]}>
      <Loaded from={found}>{() => null}</Loaded>
    </Page>
  );
}
