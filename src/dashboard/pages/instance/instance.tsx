import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { argumentsOf } from "../../../core/arguments/describe.ts";
import { decodeSignature } from "../../../core/arguments/signature_json.ts";
import { segment } from "../../api/client.ts";
import { type Resource, useResource } from "../../api/resource.ts";
import { may } from "../../state/access.ts";
import { go, href, place } from "../../state/router.ts";
import { shownZone } from "../../state/settings.ts";
import { minute } from "../../browser/clock.ts";
import { RunForm } from "../../forms/run_form.tsx";
import type {
  ErrorDetail,
  ExplainResponse,
  GetInstanceResponse,
  GetJobResponse,
  Job,
  JobInstance,
} from "../../gen/api_types.ts";
import { overview } from "../../live/overview.ts";
import { LogStream } from "../../logs/log_stream.ts";
import { LogView, targetLine } from "../../logs/log_view.tsx";
import { Button } from "../../parts/button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { Loaded } from "../../parts/notes.tsx";
import { Page, type PageProps, Section } from "../../parts/page.tsx";
import { ProgressBar } from "../../parts/progress_bar.tsx";
import { StateBadge } from "../../parts/state_badge.tsx";
import { Distance } from "../../parts/time.tsx";
import { formatCount, withLocalTimes } from "../../text/format_time.ts";
import { isFinished, shortId } from "../../text/instance_state.ts";
import { blockWords } from "../../text/limit_words.ts";
import { cancelOne, runAgain } from "../instances/actions.tsx";
import { InstanceFacts } from "./instance_facts.tsx";
import { InstanceFlow } from "./instance_flow.tsx";
import { Parked, Steps } from "./instance_steps.tsx";
import { InstanceHistory } from "./instance_history.tsx";
import { prettyText } from "../../text/argument_text.ts";
import { CopyButton } from "../../parts/command.tsx";

/** Values, each with its name, as JSON. */
function JsonView({ values, names = [], what }: {
  readonly values: readonly unknown[];
  readonly names?: readonly string[];
  /** Their name, such as "arguments". */
  readonly what: string;
}): JSX.Element {
  if (values.length === 0) return <p class="hint">None</p>;
  return (
    <div class="json">
      {values.map((value, index) => (
        <div key={index} class="json-value">
          <span class="json-name">{names[index] ?? `${index + 1}`}</span>
          <pre
            tabIndex={0}
            role="region"
            aria-label={names[index] ?? `${what} ${index + 1}`}
          >{prettyText(value)}</pre>
        </div>
      ))}
      <CopyButton text={prettyText(values)} label={`Copy the ${what}`} />
    </div>
  );
}

/** Most characters drawn at first: more would take a browser long, and nobody reads them. */
const CHARS_MAX = 4_000;

/** A text of any length: its beginning, and a button that shows all of it. */
function LongText({ text }: { readonly text: string }): JSX.Element {
  const isWhole = useSignal(false);
  if (text.length <= CHARS_MAX || isWhole.value) return <>{text}</>;
  return (
    <>
      {`${text.slice(0, CHARS_MAX)}… `}
      <Button class="plain" onClick={() => isWhole.value = true}>
        {`Show all ${formatCount(text.length)} characters`}
      </Button>
    </>
  );
}

/** Names of the arguments, in stored order. */
function argumentNames(job: Job | null): readonly string[] {
  const signature = decodeSignature(job?.signature);
  return signature === null ? [] : argumentsOf(signature).map(({ name }) => name);
}

function Actions({ instance, job, onChange }: {
  readonly instance: JobInstance;
  readonly job: Job | null;
  readonly onChange: () => void;
}): JSX.Element | null {
  const isChanging = useSignal(false);
  if (!may("operator")) return null;
  const again = async () => {
    const id = await runAgain(instance);
    if (id !== null) go(href(`/instances/${segment(id)}`));
  };
  return (
    <>
      {isFinished(instance) ? <Button onClick={() => void again()}>Run again</Button> : (
        <Button
          class="button button-danger"
          onClick={() => void cancelOne(instance).then(onChange)}
        >
          Cancel…
        </Button>
      )}
      {job !== null && <Button onClick={() => isChanging.value = true}>Run with changes…</Button>}
      {isChanging.value && job !== null && (
        <Dialog
          title={`Run ${job.kind}`}
          onClose={() => isChanging.value = false}
          isWide
        >
          <RunForm job={job} from={instance} onDone={() => isChanging.value = false} />
        </Dialog>
      )}
    </>
  );
}

/** The reason for an instance's wait, if any. */
function Waiting({ instance }: { readonly instance: JobInstance }): JSX.Element | null {
  const { blocked_by: block, kind, state, due_at } = instance;
  if (state !== "scheduled" && state !== "created") return null;
  if (instance.waits.length > 0) return <Parked instance={instance} />;
  return (
    <p class="banner">
      {block === undefined
        ? (
          <>
            Due <Distance at={due_at} />.
          </>
        )
        : (
          <>
            Waits for <strong>{block.name}</strong>: {blockWords(block)}
            {block.opens_at !== undefined && (
              <>
                , opens <Distance at={block.opens_at} />
              </>
            )}. <a href={href("/instances", { kind, state: "processing" })}>Show what runs</a>
          </>
        )}
    </p>
  );
}

function ErrorView({ error }: {
  readonly error: ErrorDetail | undefined;
}): JSX.Element | null {
  if (error === undefined) return null;
  const { name, message, stack, exit_code, signal } = error;
  const ends = [
    ...exit_code === undefined ? [] : [`exit code ${exit_code}`],
    ...signal === undefined ? [] : [`signal ${signal}`],
  ];
  return (
    <Section title="Error">
      <div class="error-view">
        <p>
          {name !== "" && <strong>{`${name}: `}</strong>}
          <LongText text={message} />
          {ends.length > 0 && <span class="hint">{` (${ends.join(", ")})`}</span>}
        </p>
        {stack !== undefined && stack !== "" && (
          <pre
            tabIndex={0}
            role="region"
            aria-label="Stack of the error"
          ><LongText text={stack} /></pre>
        )}
      </div>
    </Section>
  );
}

/** Origin and fate of an instance, in a sentence. */
function Why({ id, mark, zone }: {
  readonly id: string;
  readonly mark: string;
  readonly zone: string | undefined;
}): JSX.Element | null {
  const { data } = useResource<ExplainResponse>(
    `/instances/${segment(id)}/explain`,
    {},
    { watched: [], mark },
  );
  const why = withLocalTimes(data?.reports[0]?.why ?? "", shownZone(zone), minute.value);
  return why === "" ? null : (
    <p class="why">
      <LongText text={why} />
    </p>
  );
}

function Log({ id, isRunning, onInstance }: {
  readonly id: string;
  readonly isRunning: boolean;
  readonly onInstance: (instance: JobInstance) => void;
}): JSX.Element {
  const stream = useMemo(() => new LogStream(id, targetLine(place.peek().hash), onInstance), [id]);
  useEffect(() => () => stream.close(), [stream]);
  return (
    <Section title="Log" id="log">
      <LogView stream={stream} isRunning={isRunning} />
    </Section>
  );
}

/** An instance with its current resource use, from the overview of running instances. */
function withUsage(instance: JobInstance): JobInstance {
  const { id, fence } = instance;
  const running = overview.running.value?.find((one) => one.id === id && one.fence === fence);
  if (running === undefined || instance.state !== "processing") return instance;
  const { process, max_rss_bytes, cpu_ms } = running;
  return { ...instance, process, max_rss_bytes, cpu_ms };
}

function Shown({ instance, job, from }: {
  readonly instance: JobInstance;
  readonly job: Job | null;
  readonly from: Resource<GetInstanceResponse>;
}): JSX.Element {
  const { id, kind, state } = instance;
  const zone = job?.timezone;
  const mark = `${state} ${instance.attempts} ${instance.fence}`;
  return (
    <Page
      title={`${kind} ${shortId(id)}`}
      about={<StateBadge state={state} />}
      command={place.value.hash.startsWith("L") ? ["logs", id] : ["describe", "instance", id]}
      actions={<Actions instance={instance} job={job} onChange={from.reload} />}
    >
      <Waiting instance={instance} />
      <div class="columns columns-detail">
        <div>
          {instance.progress !== undefined && state === "processing" && (
            <p class="banner">
              <ProgressBar progress={instance.progress} />
            </p>
          )}
          <ErrorView error={instance.error} />
          <Steps
            instance={instance}
            mark={`${mark} ${instance.resumes} ${instance.waits.length}`}
            zone={zone}
          />
          <InstanceFlow instance={instance} mark={mark} zone={zone} />
          <Log
            id={id}
            isRunning={!isFinished(instance)}
            onInstance={(next) => from.set({ instance: { ...instance, ...next } })}
          />
        </div>
        <div>
          <Why id={id} mark={mark} zone={zone} />
          <Section title="About">
            <InstanceFacts instance={withUsage(instance)} zone={zone} />
          </Section>
          <Section title="Arguments">
            <JsonView
              values={instance.arguments ?? []}
              names={argumentNames(job)}
              what="arguments"
            />
          </Section>
          {state === "completed" && (
            <Section title="Results">
              <JsonView values={instance.results ?? []} what="results" />
            </Section>
          )}
          <InstanceHistory id={id} mark={mark} zone={zone} />
        </div>
      </div>
    </Page>
  );
}

/** One instance: the reason for its wait, its growing log, its arguments, attempts and outcome. */
export function InstancePage({ params }: PageProps): JSX.Element {
  const asked = params.id!;
  const found = useResource<GetInstanceResponse>(`/instances/${segment(asked)}`);
  const instance = found.data?.instance;
  const job = useResource<GetJobResponse>(
    instance === undefined ? null : `/jobs/${segment(instance.kind)}`,
    {},
    { watched: [] },
  );
  // The first characters of an id are enough to get here; the whole id is the place.
  useEffect(() => {
    if (instance === undefined || instance.id === asked) return;
    go(href(`/instances/${segment(instance.id)}`, {}, place.peek().hash), true);
  }, [instance?.id]);
  if (instance === undefined) {
    return (
      <Page title={`Instance ${shortId(asked)}`} command={["describe", "instance", asked]}>
        <Loaded from={found}>{() => null}</Loaded>
      </Page>
    );
  }
  return <Shown instance={instance} job={job.data?.job ?? null} from={found} />;
}
