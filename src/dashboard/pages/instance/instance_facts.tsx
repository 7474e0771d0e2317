import type { JSX } from "preact";
import { href } from "../../state/router.ts";
import type { JobInstance } from "../../gen/api_types.ts";
import { CopyButton } from "../../parts/command.tsx";
import { Facts } from "../../parts/facts.tsx";
import { InstanceLink, JobLink } from "../../parts/instance_links.tsx";
import { Duration, Time } from "../../parts/time.tsx";
import { formatDuration } from "../../text/format_time.ts";
import { endOf } from "../../text/instance_state.ts";
import { memoryWords, placeWords, processWords } from "../../text/usage_words.ts";

function attemptsText({ attempts = 0, max_retries }: JobInstance): string {
  if (max_retries < 0) return `${attempts}, retries unlimited`;
  return `${attempts} of at most ${max_retries + 1}`;
}

/** All single values of an instance. */
export function InstanceFacts({ instance, zone }: {
  readonly instance: JobInstance;
  readonly zone: string | undefined;
}): JSX.Element {
  const one = instance;
  const time = (at: string | undefined) => at && <Time at={at} zone={zone} />;
  const link = (id: string | undefined) => id && <InstanceLink id={id} />;
  const end = endOf(one);
  return (
    <Facts
      facts={[
        [
          "Id",
          <>
            <code class="whole">{one.id}</code> <CopyButton text={one.id} label="Copy the id" />
          </>,
        ],
        ["Job", <JobLink kind={one.kind} />],
        ["Reason", one.reason],
        ["Created", time(one.created_at)],
        ["Due", time(one.due_at)],
        ["Started", time(one.processed_at)],
        ["Ended", time(end)],
        ["Took", one.processed_at && <Duration from={one.processed_at} to={end} />],
        ["Memory", memoryWords(one)],
        ["Processor time", one.cpu_ms === undefined ? undefined : formatDuration(one.cpu_ms)],
        ["Process", placeWords(one)],
        ["Taken over", one.state === "processing" ? time(one.process?.adopted_at) : undefined],
        ["Processes", processWords(one)],
        ["Attempts", attemptsText(one)],
        ["Continued", one.resumes > 0 ? `${one.resumes} times after a wait` : undefined],
        ["Crashes", one.crashes > 0 ? one.crashes : undefined],
        ["Node", one.node],
        ["Priority", one.priority],
        ["Time limit", one.timeout_ms > 0 ? formatDuration(one.timeout_ms) : "none"],
        ["Deadline", time(one.deadline_at)],
        ["Cancel requested", time(one.cancel_requested_at)],
        ["Frozen", time(one.frozen_at)],
        [
          "Unique key",
          one.unique_key && (
            <a href={href("/instances", { key: one.unique_key })}>
              <code>{one.unique_key}</code>
            </a>
          ),
        ],
        ["Key taken until", time(one.unique_until)],
        [
          "Schedule",
          one.schedule_id && (
            <a href={href("/instances", { schedule: one.schedule_id })}>
              <code>{one.schedule_id}</code>
            </a>
          ),
        ],
        ["Tick", time(one.scheduled_for)],
        ["Scheduled by", link(one.parent_id)],
        [
          "Flow",
          one.flow_id && <a href={href("/instances", { flow: one.flow_id })}>its instances</a>,
        ],
        ["Run again from", link(one.retry_of)],
        ["Run again as", link(one.redriven_as)],
        ["Code version", one.code_version && <code>{one.code_version}</code>],
      ]}
    />
  );
}
