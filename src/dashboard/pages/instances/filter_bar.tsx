import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { setQuery } from "../../state/router.ts";
import { after, nowMs } from "../../browser/clock.ts";
import type { JobState } from "../../gen/api_types.ts";
import { overview } from "../../live/overview.ts";
import { KindList } from "../../parts/filters.tsx";
import { Time } from "../../parts/time.tsx";
import { SHOWN_STATES, STATES } from "../../text/instance_state.ts";
import type { InstanceFilter } from "./filter.ts";
import { Button } from "../../parts/button.tsx";

/** Pause in typing after which the list follows, in milliseconds. */
const TYPING_MS = 250;

const RANGES: readonly (readonly [name: string, text: string, ms: number])[] = [
  ["1h", "Last hour", 3_600_000],
  ["24h", "Last 24 hours", 86_400_000],
  ["7d", "Last 7 days", 7 * 86_400_000],
];

/** A text field whose value goes into the page's URL. */
function TextFilter({ name, label, value, list, isFirst = false }: {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly list?: string;
  readonly isFirst?: boolean;
}): JSX.Element {
  const typed = useSignal(value);
  useEffect(() => {
    typed.value = value;
  }, [value]);
  const text = typed.value;
  useEffect(() => {
    if (text === value) return;
    return after(TYPING_MS, () => setQuery({ [name]: text.trim(), page: undefined }));
  }, [text]);
  return (
    <input
      type="search"
      class="input"
      aria-label={label}
      placeholder={label}
      autocomplete="off"
      spellcheck={false}
      list={list}
      data-filter={isFirst ? true : undefined}
      value={text}
      onInput={(event) => typed.value = event.currentTarget.value}
    />
  );
}

function StateFilter({ states }: { readonly states: readonly JobState[] }): JSX.Element {
  const toggle = (state: JobState) => {
    const next = states.includes(state)
      ? states.filter((one) => one !== state)
      : [...states, state];
    setQuery({ state: next, page: undefined });
  };
  return (
    <div class="chips" role="group" aria-label="States">
      {SHOWN_STATES.map((state) => (
        <Button
          key={state}
          class="chip"
          aria-pressed={states.includes(state)}
          onClick={() => toggle(state)}
        >
          {STATES[state].word}
        </Button>
      ))}
    </div>
  );
}

function RangeFilter({ filter }: { readonly filter: InstanceFilter }): JSX.Element {
  const choose = (name: string) => {
    const range = RANGES.find(([one]) => one === name);
    const at = range === undefined ? "" : new Date(nowMs() - range[2]).toISOString();
    setQuery({ after: at, before: "", page: undefined });
  };
  if (filter.after !== "" || filter.before !== "") {
    return (
      <span class="chip-set">
        {filter.after !== "" && (
          <>
            from <Time at={filter.after} detail="minute" />
          </>
        )}
        {filter.before !== "" && (
          <>
            to <Time at={filter.before} detail="minute" />
          </>
        )}
        <Button class="plain" aria-label="Any time" onClick={() => choose("")}>×</Button>
      </span>
    );
  }
  return (
    <select
      class="select"
      aria-label="Created"
      value=""
      onChange={(event) => choose(event.currentTarget.value)}
    >
      <option value="">Any time</option>
      {RANGES.map(([name, text]) => <option key={name} value={name}>{text}</option>)}
    </select>
  );
}

/** The tags of the nodes: a job may need one of them. */
function TagFilter({ tag }: { readonly tag: string }): JSX.Element | null {
  const known = new Set((overview.nodes.value ?? []).flatMap(({ tags }) => tags));
  if (tag !== "") known.add(tag);
  if (known.size === 0) return null;
  return (
    <select
      class="select"
      aria-label="Tag that the job needs"
      value={tag}
      onChange={(event) => setQuery({ tag: event.currentTarget.value, page: undefined })}
    >
      <option value="">Any tag</option>
      {[...known].sort().map((one) => <option key={one} value={one}>needs {one}</option>)}
    </select>
  );
}

/** A condition that only links set, with a way to remove it. */
function SetFilter({ name, label, value }: {
  readonly name: string;
  readonly label: string;
  readonly value: string;
}): JSX.Element | null {
  if (value === "") return null;
  return (
    <span class="chip-set">
      {label} <code>{value}</code>
      <Button
        class="plain"
        aria-label={`Any ${label}`}
        onClick={() => setQuery({ [name]: undefined, page: undefined })}
      >
        ×
      </Button>
    </span>
  );
}

/** The filters above a list of instances. */
export function FilterBar({ filter, hasStates = true }: {
  readonly filter: InstanceFilter;
  readonly hasStates?: boolean;
}): JSX.Element {
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <TextFilter name="kind" label="Job" value={filter.kind} list="kinds" isFirst />
      <KindList />
      <TextFilter name="text" label="Text in arguments" value={filter.text} />
      {hasStates && <StateFilter states={filter.states} />}
      <RangeFilter filter={filter} />
      <TagFilter tag={filter.tag} />
      <SetFilter name="node" label="node" value={filter.node} />
      <SetFilter name="schedule" label="schedule" value={filter.scheduleId} />
      <SetFilter name="key" label="key" value={filter.uniqueKey} />
      <SetFilter name="parent" label="scheduled by" value={filter.parentId} />
      <SetFilter name="flow" label="flow" value={filter.flowId} />
    </form>
  );
}
