import type { JSX } from "preact";
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { signatureSchema } from "../../core/arguments/json_schema.ts";
import { decodeSignature } from "../../core/arguments/signature_json.ts";
import { post, segment } from "../api/client.ts";
import { Problem, toProblem } from "../api/problem.ts";
import { noteChange } from "../api/resource.ts";
import { go, href } from "../state/router.ts";
import { toastDone } from "../parts/toasts.tsx";
import { after, newId } from "../browser/clock.ts";
import type { Job, JobInstance, ScheduleJobResponse } from "../gen/api_types.ts";
import { CopyCommand } from "../parts/command.tsx";
import { argumentWord } from "../text/argument_text.ts";
import { shortId } from "../text/instance_state.ts";
import {
  type FieldSchema,
  type FieldText,
  kindOf,
  readForm,
  resolve,
  textOf,
} from "./field_values.ts";
import { SchemaFields } from "./schema_fields.tsx";

const CHECK_MS = 350;

/** Name of the only field if the job's parameters are unknown. */
const ARGUMENTS = "arguments";

/** The schema of the arguments, always one of an object. */
function schemaOf({ kind, signature }: Job): FieldSchema {
  const known = decodeSignature(signature);
  const schema = known === null ? null : signatureSchema(kind, known) as FieldSchema;
  if (schema?.type === "object") return schema;
  const field: FieldSchema = {
    type: "array",
    items: { type: "string" },
    description: "The types of its parameters are not known: one argument for each line",
  };
  return { type: "object", properties: { [ARGUMENTS]: field } };
}

/** The arguments of an earlier run as texts of the fields. */
function textsOf(schema: FieldSchema, values: readonly unknown[]): Record<string, FieldText> {
  const names = Object.keys(schema.properties ?? {});
  if (names.length === 1 && names[0] === ARGUMENTS && schema.title === undefined) {
    return { [ARGUMENTS]: textOf(values, "list") };
  }
  return Object.fromEntries(names.map((name, index) => {
    const kind = kindOf(resolve(schema.properties![name]!, schema));
    return [name, textOf(values[index], kind)];
  }));
}

/** The field with a problem, by its path or message. */
function fieldOf(problem: Problem, schema: FieldSchema): string | null {
  const names = Object.keys(schema.properties ?? {});
  const path = problem.path?.replace(/^arguments(_json)?[.[]?/, "") ?? "";
  return names.find((name) => path === name || path.startsWith(`${name}.`)) ??
    names.find((name) => problem.message.includes(`"${name}"`)) ?? null;
}

interface FormState {
  readonly texts: Signal<Record<string, FieldText>>;
  readonly at: Signal<string>;
  readonly problem: Signal<Problem | null>;
  readonly isBusy: Signal<boolean>;
  /** Fields that were typed into. */
  readonly touched: Signal<ReadonlySet<string>>;
  /** Fields whose problems are shown: edited ones, and all once it was sent. */
  readonly shown: Signal<ReadonlySet<string>>;
}

function bodyOf(schema: FieldSchema, values: Readonly<Record<string, unknown>>): object {
  const isUnknown = schema.title === undefined;
  return { arguments: isUnknown ? values[ARGUMENTS] ?? [] : values };
}

/** When it runs: at once, or at a local time. */
function timing(at: string): object {
  return at === "" ? {} : { at: new Date(at).toISOString() };
}

/** The same on the command line: options for each argument. */
function commandOf(
  kind: string,
  values: Readonly<Record<string, unknown>>,
  at: string,
): readonly string[] {
  const words = Object.entries(values).flatMap(([name, value]) => {
    if (name === ARGUMENTS && Array.isArray(value)) return value.map(argumentWord);
    return [`--${name}`, argumentWord(value)];
  });
  return ["schedule", kind, ...words, ...(at === "" ? [] : ["--at", at.replace("T", " ")])];
}

/** Check the arguments with the daemon while they are typed. */
function useCheck(job: Job, schema: FieldSchema, state: FormState): void {
  const key = JSON.stringify(state.texts.value);
  useEffect(() => {
    const { values, problems } = readForm(state.texts.peek(), schema, state.touched.peek());
    state.problem.value = null;
    if (Object.keys(problems).length > 0) return;
    const abort = new AbortController();
    const cancel = after(CHECK_MS, () => {
      const body = { ...bodyOf(schema, values), dry_run: true };
      post(`/jobs/${segment(job.kind)}/runs`, body, abort.signal).catch((error) => {
        if (!abort.signal.aborted) state.problem.value = toProblem(error);
      });
    });
    return () => {
      cancel();
      abort.abort();
    };
  }, [key]);
}

function problemsShown(schema: FieldSchema, state: FormState): Record<string, string> {
  const { problems } = readForm(state.texts.value, schema, state.touched.value);
  const shown: Record<string, string> = {};
  for (const [name, text] of Object.entries(problems)) {
    if (state.shown.value.has(name)) shown[name] = text;
  }
  const { value: problem } = state.problem;
  const field = problem === null ? null : fieldOf(problem, schema);
  if (problem !== null && field !== null) shown[field] = problem.message;
  return shown;
}

/** The form that runs a job: a field for each argument, checked while typing. */
export function RunForm({ job, from, onDone }: {
  readonly job: Job;
  /** An instance whose arguments the fields begin with. */
  readonly from?: JobInstance;
  readonly onDone?: () => void;
}): JSX.Element {
  const schema = useMemo(() => schemaOf(job), [job]);
  const state: FormState = {
    texts: useSignal(textsOf(schema, from?.arguments ?? [])),
    at: useSignal(""),
    problem: useSignal<Problem | null>(null),
    isBusy: useSignal(false),
    touched: useSignal<ReadonlySet<string>>(new Set()),
    shown: useSignal<ReadonlySet<string>>(new Set()),
  };
  // A repeated click must not run it twice.
  const id = useSignal(newId());
  useCheck(job, schema, state);
  const { values } = readForm(state.texts.value, schema, state.touched.value);
  const problems = problemsShown(schema, state);
  const problem = state.problem.value;
  const isWhole = problem !== null && fieldOf(problem, schema) === null;
  const submit = async () => {
    const read = readForm(state.texts.peek(), schema, state.touched.peek());
    const missing = Object.keys(read.problems);
    if (missing.length > 0) {
      state.shown.value = new Set([...state.shown.peek(), ...missing]);
      return;
    }
    state.isBusy.value = true;
    try {
      const { instance } = await post<ScheduleJobResponse>(`/jobs/${segment(job.kind)}/runs`, {
        ...bodyOf(schema, read.values),
        ...timing(state.at.peek()),
        id: id.peek(),
      });
      toastDone(`Accepted as ${shortId(instance!.id)}`);
      noteChange();
      onDone?.();
      go(href(`/instances/${segment(instance!.id)}`));
    } catch (error) {
      state.problem.value = toProblem(error);
      id.value = newId();
    } finally {
      state.isBusy.value = false;
    }
  };
  return (
    <form
      class="run-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {Object.keys(schema.properties ?? {}).length === 0 && (
        <p class="hint">It takes no arguments.</p>
      )}
      <SchemaFields
        schema={schema}
        texts={state.texts.value}
        problems={problems}
        onText={(name, text) => {
          state.texts.value = { ...state.texts.peek(), [name]: text };
          state.touched.value = new Set([...state.touched.peek(), name]);
          state.shown.value = new Set([...state.shown.peek(), name]);
        }}
      />
      <div class="field">
        <label for="run-at">
          At <span class="hint">local time; empty for now</span>
        </label>
        <input
          id="run-at"
          type="datetime-local"
          class="input input-wide"
          value={state.at.value}
          onInput={(event) => state.at.value = event.currentTarget.value}
        />
      </div>
      {isWhole && (
        <div class="problem" role="alert">
          <p>{problem.message}</p>
          {problem.hint !== undefined && <p class="hint">{problem.hint}</p>}
        </div>
      )}
      <CopyCommand words={commandOf(job.kind, values, state.at.value)} />
      <div class="dialog-actions">
        <button type="submit" class="button button-main" disabled={state.isBusy.value}>
          {state.at.value === "" ? "Run now" : "Schedule"}
        </button>
      </div>
    </form>
  );
}
