import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { checkText, TEXT_LENGTH_MAX } from "../../core/text/text_limits.ts";
import { readOptions } from "../context/call_options.ts";
import type { RunningAttempt } from "./running_attempt.ts";
import type { InstanceApi } from "../api/instances.ts";
import type { Context } from "../context/context.ts";
import { findInstance } from "../instances/find_instance.ts";

/** See {@link InstanceApi.freezeInstance}. */
export function freezer(
  partsOf: () => {
    readonly store: Context["store"];
    readonly options: Pick<Context, "clock">;
    readonly dispatcher: { runningOf(id: string): RunningAttempt | undefined };
  },
): InstanceApi["freezeInstance"] {
  return async (id, options) => {
    const { store, dispatcher, options: { clock } } = partsOf();
    const { thaw = false, reason = "" } = readOptions("freeze", options ?? {}, "freeze");
    const lengthMax = TEXT_LENGTH_MAX.pauseReason;
    checkText(reason, { what: "reason for a freeze", path: "reason", lengthMax });
    const instance = await findInstance(id, { store, clock });
    const running = dispatcher.runningOf(instance.id);
    if (running?.instance.fence !== instance.fence) throw notRunning(instance, thaw);
    const freeze = freezeOf(running, thaw);
    if ((running.frozenAt === null) === thaw) return { instance, changed: false };
    await freeze();
    const at = clock.now().wallMs;
    running.froze(thaw ? null : at, { at, reason });
    await running.written();
    return { instance: await store.get(instance.id) ?? instance, changed: true };
  };
}

/** Freezes a running command, or lets it continue. @throws JobError `conflict` for anything else */
function freezeOf({ attempt, instance, job }: RunningAttempt, thaw: boolean): () => Promise<void> {
  const action = `Cannot ${thaw ? "resume" : "freeze"} instance "${instance.id}"`;
  if (job?.source.type !== "command" || !attempt?.freeze) {
    throw new JobError("conflict", `${action}: it does not run a command`, {
      hint: "Only commands can be frozen; jobctl cancel ends any instance",
    });
  }
  return async () => {
    const problem = await attempt.freeze!(!thaw);
    if (problem === null) return;
    const { type, message } = problem;
    if (type === "state") throw new JobError("conflict", `${action}: ${message}`);
    throw new JobError("unimplemented", `${action}: ${message}`, {
      hint: "It needs Linux with cgroup v2, and a unit with Delegate=memory: see jobctl doctor",
    });
  };
}

function notRunning({ id, state, node }: Instance, thaw: boolean): JobError {
  const action = `Cannot ${thaw ? "resume" : "freeze"} instance "${id}"`;
  return state === "processing" && node !== null
    ? new JobError("conflict", `${action}: it runs on node "${node}"`, {
      hint: "Ask the daemon of that node: jobctl --host",
    })
    : new JobError("conflict", `${action}: it is not running`, {
      hint: "jobctl pause KIND keeps instances that wait from starting",
    });
}
