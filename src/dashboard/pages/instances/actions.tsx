import { post, remove, segment } from "../../api/client.ts";
import { noteChange } from "../../api/resource.ts";
import { href } from "../../state/router.ts";
import { change, toastDone } from "../../parts/toasts.tsx";
import type {
  CancelInstancesResponse,
  JobInstance,
  Query,
  RedriveInstancesResponse,
  RetryInstanceResponse,
} from "../../gen/api_types.ts";
import { ask } from "../../parts/dialog.tsx";
import { formatCount, plural } from "../../text/format_time.ts";
import { shortId } from "../../text/instance_state.ts";
import type { Affected } from "./instance_list.ts";

/** The instances of an action. */
export interface Selection extends Affected {
  readonly query: Partial<Query>;
  /** Their description, such as "of the job report". */
  readonly about: string;
  /** The arguments of `jobctl` that do the same. */
  readonly command: readonly string[];
}

/** Limit of the daemon's count of changed instances. */
const CHANGED_MAX = 10_000;

function counted({ count, has_more }: Affected): string {
  return has_more ? `${formatCount(count)} or more instances` : plural(count, "instance");
}

/** Number of instances that an action has changed. */
function changed(count: number): string {
  return counted({ count, has_more: count >= CHANGED_MAX });
}

/** Cancel one instance, after a question. */
export async function cancelOne({ id, kind, state }: JobInstance): Promise<void> {
  const isYes = await ask({
    title: `Cancel ${shortId(id)}?`,
    text: (
      <>
        {state === "processing"
          ? `The running attempt of ${kind} is asked to stop, and killed if it does not.`
          : `This instance of ${kind} will not run.`}{" "}
        This cannot be undone, but it can be run again.
      </>
    ),
    command: ["cancel", id],
    verb: "Cancel it",
    isDangerous: true,
  });
  if (!isYes) return;
  await change(async () => {
    await remove(`/instances/${segment(id)}`);
    toastDone(`Canceled ${shortId(id)}`);
  });
}

/** Run a finished instance again, as a new one, with a way to cancel it at once. */
export async function runAgain({ id }: JobInstance): Promise<string | null> {
  let created: string | null = null;
  await change(async () => {
    const response = await post<RetryInstanceResponse>(`/instances/${segment(id)}/retry`);
    const again = response.instance!;
    created = again.id;
    toastDone(`Runs again as ${shortId(again.id)}`, {
      link: { href: href(`/instances/${segment(again.id)}`), text: "Show" },
      undo: async () => {
        await remove(`/instances/${segment(again.id)}`);
        noteChange();
      },
    });
  });
  return created;
}

/** Cancel all instances of a selection, after a question with the number. @returns true if done */
export async function cancelAll(
  { query, about, command, ...affected }: Selection,
): Promise<boolean> {
  const isYes = await ask({
    title: `Cancel ${counted(affected)}?`,
    text: (
      <>
        {about}{" "}
        Waiting ones will not run. Running attempts are asked to stop, and killed if they do not.
        This cannot be undone.
      </>
    ),
    command,
    verb: `Cancel ${counted(affected)}`,
    isDangerous: true,
  });
  if (!isYes) return false;
  return await change(async () => {
    const all = Object.keys(query).length === 0;
    const done = await post<CancelInstancesResponse>("/instances/cancel", {
      query,
      ...(all ? { all } : {}),
    });
    toastDone(`Canceled ${changed(done.count)}`);
  });
}

/** Run a selection's dead letters again, after a question with the number. @returns true if done */
export async function redriveAll(
  { query, about, command, ...affected }: Selection,
): Promise<boolean> {
  const isYes = await ask({
    title: `Run ${counted(affected)} again?`,
    text: `${about} Each runs once more, as a new instance with the same arguments.`,
    command,
    verb: `Run ${counted(affected)} again`,
  });
  if (!isYes) return false;
  return await change(async () => {
    const all = Object.keys(query).length === 0;
    const done = await post<RedriveInstancesResponse>("/instances/redrive", {
      query,
      ...(all ? { all } : {}),
    });
    const ids = done.instances.map(({ id }) => id);
    toastDone(`Run again: ${changed(done.count)}`, {
      // Undo only if all are named: the response may be cut.
      undo: ids.length === done.count && ids.length > 0
        ? () => post("/instances/cancel", { query: { ids } }).then(noteChange)
        : undefined,
    });
  });
}
