import { isObject } from "../core/text/object_keys.ts";
import type {
  Attempt,
  AttemptOutcome,
  AttemptSink,
  AttemptTask,
  Executor,
} from "../worker/executor.ts";

const CRASH: AttemptOutcome = {
  type: "lost",
  error: { name: "WorkerKilledError", message: "The test ended its process" },
};

/**
 * Runs attempts as another executor does, and ends some as if their process had died.
 *
 * @param diesBefore true if an attempt dies before outcomes of these steps and waits are recorded
 */
export function crashingExecutor(
  executor: Executor,
  diesBefore: (names: readonly string[]) => boolean,
): Executor {
  const alive = new Set<Attempt>();
  return {
    start: () => executor.start(),
    stop: () => executor.stop(),
    handle: (task) => executor.handle(task),
    resize: (count) => executor.resize(count),
    // Not those that have crashed: their code waits for ever.
    stats: () => ({ alive: alive.size, busy: alive.size }),
    get waiting() {
      return executor.waiting;
    },
    run(task, sink) {
      const attempt = runUntilCrash(executor, diesBefore, { task, sink });
      alive.add(attempt);
      void attempt.outcome.then(() => alive.delete(attempt));
      return attempt;
    },
  };
}

function runUntilCrash(
  executor: Executor,
  diesBefore: (names: readonly string[]) => boolean,
  { task, sink }: { readonly task: AttemptTask; readonly sink: AttemptSink },
): Attempt {
  const crash = Promise.withResolvers<AttemptOutcome>();
  let hasCrashed = false;
  const crashes = (steps: unknown): boolean => {
    if (!hasCrashed && diesBefore(namesOf(steps))) {
      hasCrashed = true;
      crash.resolve(CRASH);
      // Its code is not to run on.
      attempt.abort("lease");
    }
    return hasCrashed;
  };
  const attempt: Attempt = executor.run(task, {
    ...whileAlive(sink, () => !hasCrashed),
    call(method, args) {
      if (crashes(method === "flow.put" ? args[0] : [])) return new Promise(() => {});
      return sink.call(method, args);
    },
  });
  const outcome = attempt.outcome.then((end) => {
    return crashes(end.type === "ok" || end.type === "park" ? end.steps : []) ? CRASH : end;
  });
  return {
    outcome: Promise.race([crash.promise, outcome]),
    extend: (deadlineMs) => attempt.extend(deadlineMs),
    abort: (cause) => attempt.abort(cause),
  };
}

function whileAlive(sink: AttemptSink, isAlive: () => boolean): Omit<AttemptSink, "call"> {
  return {
    log: (entries) => void (isAlive() && sink.log(entries)),
    progress: (progress) => void (isAlive() && sink.progress(progress)),
    placed: (place) => sink.placed(place),
    used: (usage) => sink.used(usage),
    endedAgo: (ms) => sink.endedAgo(ms),
  };
}

/** The names of the steps and waits whose outcomes are in records. */
function namesOf(steps: unknown): readonly string[] {
  if (!Array.isArray(steps)) return [];
  return (steps as readonly { readonly data: unknown }[]).flatMap(({ data }) => {
    const record = typeof data === "string" ? JSON.parse(data) as unknown : data;
    const isOutcome = isObject(record) && typeof record.order === "number";
    return isOutcome && typeof record.name === "string" ? [record.name] : [];
  });
}
