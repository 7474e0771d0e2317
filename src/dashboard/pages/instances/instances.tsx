import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get } from "../../api/client.ts";
import { revision, useLoaded } from "../../api/resource.ts";
import { may } from "../../state/access.ts";
import { href, place } from "../../state/router.ts";
import { attempt, toastDone } from "../../parts/toasts.tsx";
import type { JobInstance, JobState, LookupInstancesResponse } from "../../gen/api_types.ts";
import { overview } from "../../live/overview.ts";
import { Button } from "../../parts/button.tsx";
import { Empty, Loaded } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { Time } from "../../parts/time.tsx";
import { formatCount } from "../../text/format_time.ts";
import { FAILED } from "../../text/instance_state.ts";
import { cancelAll, redriveAll, type Selection } from "./actions.tsx";
import {
  conditionsOf,
  countOf,
  filterOf,
  type InstanceFilter,
  isEverything,
  isListed,
  selectionWords,
} from "./filter.ts";
import { FilterBar } from "./filter_bar.tsx";
import { countAffected, readPage } from "./instance_list.ts";
import { InstanceTable, type SelectedIds } from "./instance_table.tsx";

/** Differences between the lists of all instances and of dead letters. */
interface ListKind {
  readonly path: "/instances" | "/dead-letters";
  readonly title: string;
  readonly words: readonly string[];
  readonly empty: JSX.Element;
}

/** Number of jobs offered to narrow a list of failures. */
const FAILING_MAX = 8;
const UNFINISHED: readonly JobState[] = ["scheduled", "processing"];

const ALL: ListKind = {
  path: "/instances",
  title: "Instances",
  words: ["list", "instances"],
  empty: (
    <Empty title="No job has run yet" command={["schedule", "KIND"]}>
      Every accepted run of a job is an instance: with its arguments, attempts, log and result. Run
      a job on its page, or on the command line:
    </Empty>
  ),
};

const DEAD_LETTERS: ListKind = {
  path: "/dead-letters",
  title: "Dead letters",
  words: ["list", "dead"],
  empty: (
    <Empty title="There are no dead letters" command={["redrive", "--help"]}>
      Instances that fail for good wait here until somebody runs them again.
    </Empty>
  ),
};

/** The part of the selected instances that an action would change. */
async function changeableOf(
  verb: "cancel" | "redrive",
  ids: readonly string[],
): Promise<readonly string[]> {
  const query = verb === "cancel" ? { ids, states: UNFINISHED } : { ids, dead: true };
  const { instances } = await get<LookupInstancesResponse>("/instances", { ...query, brief: true });
  return instances.map(({ id }) => id);
}

/** Effect of an action on the selected instances. */
async function selectionOf(
  verb: "cancel" | "redrive",
  selected: ReadonlySet<string>,
): Promise<Selection> {
  const ids = await changeableOf(verb, [...selected]);
  const others = selected.size - ids.length;
  const why = verb === "cancel"
    ? "finished already"
    : others === 1
    ? "not a dead letter"
    : "not dead letters";
  return {
    query: { ids },
    count: ids.length,
    has_more: false,
    about: others === 0
      ? "The selected instances."
      : `Of the ${selected.size} selected, ${others} ${others === 1 ? "is" : "are"} ${why}.`,
    command: verb === "cancel"
      ? ["cancel", "instances", ...ids.flatMap((id) => ["--uuid", id])]
      : ["redrive", ...ids],
  };
}

/** Effect of an action on all matching instances. */
async function matchingOf(
  verb: "cancel" | "redrive",
  filter: InstanceFilter,
): Promise<Selection> {
  const possible = verb === "cancel" ? UNFINISHED : FAILED;
  const target = { ...filter, states: filter.states.filter((one) => possible.includes(one)) };
  const words = isEverything(target) ? ["--all"] : selectionWords(target);
  return {
    ...await countAffected(verb, conditionsOf(target)),
    query: conditionsOf(target),
    about: isEverything(filter)
      ? "All instances."
      : "All that match the filter, including those on other pages.",
    command: verb === "cancel" ? ["cancel", "instances", ...words] : ["redrive", ...words],
  };
}

/** Count the instances that an action would change, then ask. */
async function actOnAll(verb: "cancel" | "redrive", options: {
  readonly filter: InstanceFilter;
  readonly selected: SelectedIds;
}): Promise<void> {
  const { filter, selected } = options;
  const selection = selected.value.size > 0
    ? await selectionOf(verb, selected.value)
    : await matchingOf(verb, filter);
  if (selection.count === 0 && !selection.has_more) {
    const nothing = verb === "cancel" ? "unfinished instance" : "dead letter";
    return toastDone(`No ${nothing} matches`);
  }
  const isDone = verb === "cancel" ? await cancelAll(selection) : await redriveAll(selection);
  if (isDone) selected.value = new Set();
}

function BulkActions({ filter, selected, list }: {
  readonly filter: InstanceFilter;
  readonly selected: SelectedIds;
  readonly list: ListKind;
}): JSX.Element | null {
  if (!may("operator")) return null;
  const count = selected.value.size;
  const what = count > 0 ? `${count} selected` : "all that match";
  const act = (verb: "cancel" | "redrive") => () =>
    void attempt(() => actOnAll(verb, { filter, selected }));
  const hasAny = (states: readonly JobState[]) =>
    count > 0 || filter.states.length === 0 || filter.states.some((one) => states.includes(one));
  return (
    <>
      {hasAny(FAILED) && (
        <Button onClick={act("redrive")}>
          Run {list === DEAD_LETTERS || count > 0 ? what : "all failed"} again…
        </Button>
      )}
      {list === ALL && hasAny(UNFINISHED) && (
        <Button class="button button-danger" onClick={act("cancel")}>Cancel {what}…</Button>
      )}
    </>
  );
}

function Pager({ page, path, query }: {
  readonly page: LookupInstancesResponse;
  readonly path: string;
  readonly query: URLSearchParams;
}): JSX.Element {
  const values = Object.fromEntries([...query.keys()].map((name) => [name, query.getAll(name)]));
  return (
    <nav class="pager" aria-label="Pages of the list">
      {query.has("page") && <a href={href(path, { ...values, page: "" })}>Newest</a>}
      {page.looked_to !== undefined && (
        <span class="hint">
          Searched instances created since <Time at={page.looked_to} />
        </span>
      )}
      {page.next_page_token !== undefined && (
        <a href={href(path, { ...values, page: page.next_page_token })}>Older</a>
      )}
    </nav>
  );
}

function Selecting({ instances, selected }: {
  readonly instances: readonly JobInstance[];
  readonly selected: SelectedIds;
}): JSX.Element {
  const isAll = instances.length > 0 && instances.every(({ id }) => selected.value.has(id));
  return (
    <label class="select-all">
      <input
        type="checkbox"
        checked={isAll}
        onChange={() => selected.value = new Set(isAll ? [] : instances.map(({ id }) => id))}
      />
      Select all shown
    </label>
  );
}

/** True if a list shows failures of any job. */
function isAboutFailures(list: ListKind, { kind, states }: InstanceFilter): boolean {
  if (kind !== "") return false;
  return list === DEAD_LETTERS ||
    states.length > 0 && states.every((state) => FAILED.includes(state));
}

/** The jobs with the most failures, to narrow the list to one of them. */
function FailingJobs({ path, query }: {
  readonly path: string;
  readonly query: URLSearchParams;
}): JSX.Element | null {
  const values = Object.fromEntries([...query.keys()].map((name) => [name, query.getAll(name)]));
  const failing = [...overview.kinds.value.values()]
    .map(({ kind, terminated, timed_out }) => ({ kind, count: terminated + timed_out }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, FAILING_MAX);
  if (failing.length < 2) return null;
  return (
    <nav class="chips chips-line" aria-label="Jobs that failed">
      <span class="hint">Only</span>
      {failing.map(({ kind }) => (
        <a key={kind} class="chip" href={href(path, { ...values, kind, page: "" })}>{kind}</a>
      ))}
    </nav>
  );
}

function InstanceListPage({ list }: { readonly list: ListKind }): JSX.Element {
  const { query } = place.value;
  const filter = filterOf(query);
  const token = query.get("page") ?? "";
  const selected = useSignal<ReadonlySet<string>>(new Set());
  const key = `${JSON.stringify(filter)} ${token}`;
  useEffect(() => {
    selected.value = new Set();
  }, [key]);
  const page = useLoaded(
    key,
    (signal) => readPage(list.path, conditionsOf(filter), token, signal),
    // Older pages do not change while they are read.
    { watched: token === "" ? [revision] : [], keeps: true },
  );
  const counts = filter.kind === ""
    ? overview.totals.value
    : overview.kinds.value.get(filter.kind) ?? null;
  const count = list === ALL ? countOf(filter, counts) : null;
  return (
    <Page
      title={list.title}
      about={count === null ? undefined : <span class="num">{formatCount(count)}</span>}
      command={[...list.words, ...selectionWords(filter)]}
      actions={<BulkActions filter={filter} selected={selected} list={list} />}
    >
      <FilterBar filter={filter} hasStates={list === ALL} />
      {isAboutFailures(list, filter) && <FailingJobs path={list.path} query={query} />}
      <Loaded from={page}>
        {(shown) => {
          const instances = list === ALL
            ? shown.instances.filter((one) => isListed(one, filter))
            : shown.instances;
          if (instances.length === 0 && shown.next_page_token === undefined) {
            if (isEverything(filter)) return list.empty;
            return (
              <Empty title="Nothing matches">
                <a href={href(list.path)}>Remove the filter</a>
              </Empty>
            );
          }
          return (
            <>
              <InstanceTable
                instances={instances}
                selected={may("operator") ? selected : undefined}
              />
              <div class="list-foot">
                {may("operator") && <Selecting instances={instances} selected={selected} />}
                <Pager page={shown} path={list.path} query={query} />
              </div>
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

/** All instances, by filter. */
export function InstancesPage(): JSX.Element {
  return <InstanceListPage list={ALL} />;
}

/** The instances that failed for good and were not run again. */
export function DeadLettersPage(): JSX.Element {
  return <InstanceListPage list={DEAD_LETTERS} />;
}
