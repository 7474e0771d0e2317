import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { ACCEPT_SIGNAL, UNDO_SIGNAL } from "../../../core/wait.ts";
import { waitsText, type WaitWords } from "../../../core/flow/wait_text.ts";
import { post, segment } from "../../api/client.ts";
import { useResource } from "../../api/resource.ts";
import { TextField } from "../../parts/fields.tsx";
import type {
  JobInstance,
  ListStepsResponse,
  SignalInstanceResponse,
  Step,
} from "../../gen/api_types.ts";
import { Button } from "../../parts/button.tsx";
import { FormDialog } from "../../parts/dialog.tsx";
import { InstanceLink } from "../../parts/instance_links.tsx";
import { Section } from "../../parts/page.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Distance, Time } from "../../parts/time.tsx";
import { change, toastDone } from "../../parts/toasts.tsx";
import { may } from "../../state/access.ts";
import { prettyText } from "../../text/argument_text.ts";

/** Most characters of a result in the table. */
const RESULT_CHARS = 200;

const STATES: Readonly<Record<string, string>> = { timedOut: "timed out" };
const FATES: Readonly<Record<string, string>> = {
  woke: "It continues",
  stored: "Kept: it does not wait for this signal yet",
  duplicate: "It was sent before",
  ended: "It had finished: the signal was not kept",
};

/** Send a signal, and say its fate. */
async function send(id: string, name: string, value: unknown): Promise<boolean> {
  return await change(async () => {
    const path = `/instances/${segment(id)}/signals`;
    const { status } = await post<SignalInstanceResponse>(path, { name, value });
    toastDone(FATES[status] ?? status);
  });
}

function SignalForm({ id, name, onClose }: {
  readonly id: string;
  readonly name: string;
  readonly onClose: () => void;
}): JSX.Element {
  const text = useSignal("");
  const value = readValue(text.value);
  return (
    <FormDialog
      title={`Send signal ${name}`}
      verb="Send it"
      isValid={value !== undefined}
      onSubmit={() => send(id, name, value)}
      onClose={onClose}
    >
      <TextField
        id="signal-value"
        label="Value, as JSON"
        hint="Such as 5, [1, 2] or a text in quotes; empty for null"
        value={text}
      />
    </FormDialog>
  );
}

/** The value of a text; undefined if it is not JSON. */
function readValue(text: string): unknown {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The answer to a signal that an instance waits for. */
function Answer({ id, name }: { readonly id: string; readonly name: string }): JSX.Element {
  const isWriting = useSignal(false);
  return (
    <span class="answers">
      <Button onClick={() => void send(id, name, { ok: true })}>Approve {name}</Button>
      <Button onClick={() => void send(id, name, { ok: false })}>Reject {name}</Button>
      <Button class="plain" onClick={() => isWriting.value = true}>Other answer…</Button>
      {isWriting.value && (
        <SignalForm
          id={id}
          name={name}
          onClose={() => isWriting.value = false}
        />
      )}
    </span>
  );
}

/** The decision on an undo that failed for good. */
function UndoDecision({ id }: { readonly id: string }): JSX.Element {
  return (
    <span class="answers">
      <Button onClick={() => void send(id, UNDO_SIGNAL, { retry: true })}>Retry the undo</Button>
      <Button onClick={() => void send(id, UNDO_SIGNAL, { retry: false })}>Abandon it</Button>
    </span>
  );
}

/** The waits of a parked instance, with buttons for answers to its questions. */
export function Parked({ instance }: { readonly instance: JobInstance }): JSX.Element {
  const { id, waits, due_at } = instance;
  const names = waits.filter(({ type }) => type === "signal").map(({ name }) => name);
  return (
    <div class="banner">
      Parked: waits for {waitsText(waits as readonly WaitWords[])}
      {due_at !== undefined && (
        <>
          , until <Distance at={due_at} />
        </>
      )}. {may("operator") &&
        [...new Set(names)].map((name) => <Answer key={name} id={id} name={name} />)}
      {may("operator") && waits.some(({ type }) => type === "undo") && <UndoDecision id={id} />}
      {may("operator") && waits.some(({ type }) => type === "change") && (
        <Button onClick={() => void send(id, ACCEPT_SIGNAL, null)}>Accept the new code</Button>
      )}
    </div>
  );
}

function columns(zone: string | undefined): readonly Column<Step>[] {
  return [
    { title: "Name", cell: ({ name }) => name },
    { title: "Type", cell: ({ type }) => type, kind: "minor" },
    { title: "State", cell: ({ state }) => STATES[state] ?? state },
    { title: "Tries", cell: ({ tries }) => tries || "", kind: "num" },
    { title: "At", cell: ({ at }) => <Time at={at} zone={zone} />, kind: "minor" },
    { title: "Result", cell: resultOf, kind: "wide" },
  ];
}

function resultOf({ error, value, child_id, by }: Step): JSX.Element {
  const text = error ?? (value === undefined ? "" : prettyText(value));
  const shown = text.length > RESULT_CHARS ? `${text.slice(0, RESULT_CHARS)}…` : text;
  return (
    <>
      {shown}
      {by !== undefined && <span class="hint">{` by ${by}`}</span>}
      {child_id !== undefined && (
        <>
          {" "}
          <InstanceLink id={child_id} />
        </>
      )}
    </>
  );
}

/** The steps, waits, children and signals of an instance; nothing without any. */
export function Steps({ instance, mark, zone }: {
  readonly instance: JobInstance;
  readonly mark: string;
  readonly zone: string | undefined;
}): JSX.Element | null {
  const { data } = useResource<ListStepsResponse>(
    instance.steps_at === undefined ? null : `/instances/${segment(instance.id)}/steps`,
    {},
    { watched: [], mark },
  );
  const steps = data?.steps ?? [];
  if (steps.length === 0) return null;
  return (
    <Section title="Steps">
      <Table
        label="Steps"
        columns={columns(zone)}
        rows={steps}
        keyOf={({ key }) => key}
      />
    </Section>
  );
}
