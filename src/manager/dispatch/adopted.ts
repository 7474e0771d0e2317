import { type Instance, isPrinted } from "../../core/instance.ts";
import {
  type CommandSpec,
  type JobDefinition,
  NO_HANDLERS,
  NO_PROCESS,
} from "../../core/job/job.ts";
import { JOB_DEFAULTS } from "../../core/job/option_table.ts";
import { BATCH_MAX, type Store } from "../../store/store.ts";
import type { FoundAttempt } from "../../worker/executor.ts";
import type { PartContext } from "../context/part_context.ts";

/** Number of instances read at once: the store may be on another machine. */
const READ_AT_ONCE = 50;

/** An attempt to take over, as this daemon knows it. */
export interface Adopted {
  readonly found: FoundAttempt;
  readonly instance: Instance;
  readonly job: JobDefinition;
  /** Number of its printed lines in the store. */
  readonly lines: number;
}

/**
 * Reads the attempts of an earlier daemon that this one can adopt: their claims are valid.
 * Otherwise the outcome is recorded already, or another node has the instance.
 */
export async function readAdopted(
  all: readonly FoundAttempt[],
  context: Pick<PartContext, "store" | "events">,
): Promise<readonly Adopted[]> {
  const adopted: Adopted[] = [];
  for (let from = 0; from < all.length; from += READ_AT_ONCE) {
    const some = all.slice(from, from + READ_AT_ONCE);
    const read = await Promise.all(some.map((found) => readOne(found, context)));
    adopted.push(...read.filter((each) => each !== null));
  }
  return adopted;
}

async function readOne(
  found: FoundAttempt,
  { store, events }: Pick<PartContext, "store" | "events">,
): Promise<Adopted | null> {
  const instance = await store.get(found.id);
  const isClaimed = instance?.state === "processing" && instance.fence === found.fence;
  if (!isClaimed) return null;
  const lines = found.isUnbegun ? 0 : await countLines(store, instance);
  const job = events.jobOf(instance);
  const isCommand = job?.source.type === "command";
  return { found, instance, job: isCommand ? job : formerJob(instance), lines };
}

/**
 * Number of printed lines in the store for the current claim of an instance. They are the last ones
 * of its log, in the order of printing. Lines of ours may be between them.
 */
async function countLines(store: Store, { id, fence }: Instance): Promise<number> {
  const query = { instanceId: id, newestFirst: true } as const;
  let count = 0;
  let token: string | undefined;
  do {
    const page = await store.logs(query, { limit: BATCH_MAX, token });
    for (const line of page.items) {
      if (line.fence !== fence) return count;
      if (isPrinted(line)) count += 1;
    }
    token = page.nextToken ?? undefined;
  } while (token !== undefined);
  return count;
}

/** Replaces a job that is no longer a configured command: its running attempts may end. */
function formerJob({ kind }: Instance): JobDefinition {
  const command: CommandSpec = {
    ...NO_PROCESS,
    argv: [kind],
    cwd: null,
    stdin: null,
    successCodes: [0],
    parameters: [],
    hasRest: true,
    allowsDash: false,
  };
  return {
    kind,
    description: "",
    source: { type: "command", command },
    signature: { parameters: [], resultCount: null, isTyped: false, warnings: [] },
    options: JOB_DEFAULTS,
    schedules: [],
    hasHandler: NO_HANDLERS,
    registeredAt: 0,
  };
}
