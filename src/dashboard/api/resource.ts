import { type ReadonlySignal, signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get, type QueryValues } from "./client.ts";
import { type Problem, toProblem } from "./problem.ts";

/** A page's view of a request. Data stay during a reload. */
export interface Resource<T> {
  readonly data: T | null;
  readonly problem: Problem | null;
  readonly isLoading: boolean;
  readonly reload: () => void;
  /** Take over data from elsewhere, without the members that they omit. */
  readonly set: (data: Partial<T>) => void;
}

/** Rises when something has changed: every shown resource is then asked for again. */
export const revision = signal(0);

/** Like {@link revision}, for expensive reads: it rises less often. */
export const slowRevision = signal(0);

/** Signal a change by the reader. */
export function noteChange(): void {
  revision.value++;
  slowRevision.value++;
}

interface State<T> {
  readonly key: string;
  readonly data: T | null;
  readonly problem: Problem | null;
  readonly isLoading: boolean;
}

/** When something is loaded again. */
export interface LoadOptions {
  /** Reload with each change of these; by default of everything. */
  readonly watched?: readonly ReadonlySignal<number>[];
  /** With each change of it. */
  readonly mark?: string;
  /** Show the previous key's data until the next data are here. */
  readonly keeps?: boolean;
}

/** For what costs more to read. */
export const SLOWLY: LoadOptions = { watched: [slowRevision], keeps: true };

/** Load something, again whenever its key changes. @param key its inputs; null loads nothing */
export function useLoaded<T>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<T>,
  { watched = [revision], mark = "", keeps = false }: LoadOptions = {},
): Resource<T> {
  const state = useSignal<State<T>>({ key: "", data: null, problem: null, isLoading: true });
  const again = useSignal(0);
  const marks = `${mark} ${watched.map((one) => one.value).join()}`;
  useEffect(() => {
    if (key === null) return;
    const abort = new AbortController();
    const before = state.peek();
    const kept = before.key === key || keeps ? before.data : null;
    state.value = { key, data: kept, problem: null, isLoading: true };
    load(abort.signal).then((data) => {
      if (!abort.signal.aborted) state.value = { key, data, problem: null, isLoading: false };
    }, (error) => {
      if (abort.signal.aborted) return;
      state.value = { key, data: kept, problem: toProblem(error), isLoading: false };
    });
    return () => abort.abort();
  }, [key, again.value, marks]);
  const { data, problem, isLoading, key: shown } = state.value;
  const isCurrent = shown === key;
  return {
    data: isCurrent || keeps ? data : null,
    problem: isCurrent ? problem : null,
    isLoading: isLoading || !isCurrent,
    reload: () => again.value++,
    set: (given) => {
      const { data, ...rest } = state.peek();
      if (data !== null) state.value = { ...rest, data: { ...data, ...given } };
    },
  };
}

/** Load a path of the API; see {@link useLoaded}. */
export function useResource<T>(
  path: string | null,
  query: QueryValues = {},
  options?: LoadOptions,
): Resource<T> {
  const key = path === null ? null : `${path} ${JSON.stringify(query)}`;
  return useLoaded<T>(key, (signal) => get<T>(path!, query, signal), options);
}
