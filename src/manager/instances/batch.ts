import { isJobError, JobError } from "../../core/errors.ts";
import type { EnqueueResult, NewInstance, StoreReads } from "../../store/store.ts";
import { inRequest } from "../context/call_options.ts";
import type { BatchReport } from "../api/instances.ts";

/** Shows if an id or a unique key is taken. */
interface Holder {
  readonly kind: string;
  readonly argumentsJson: string;
}

type Reads = Pick<StoreReads, "get" | "list">;

/**
 * Accept the instances of a batch, or only check them.
 *
 * @throws JobError `already_exists` with the place of an id or a unique key in use
 */
export async function acceptBatch<Request extends { readonly id?: string }>(
  requests: readonly Request[],
  how: {
    readonly make: (request: Request, index: number) => NewInstance;
    readonly accept: (instances: readonly NewInstance[]) => Promise<readonly EnqueueResult[]>;
    readonly isDryRun: boolean;
    readonly store: Reads;
  },
): Promise<BatchReport> {
  const { make, accept, isDryRun, store } = how;
  const instances = requests.map((request, index) => inRequest(index, () => make(request, index)));
  if (isDryRun) {
    const named = instances.map((instance, index) => requests[index]!.id ? instance : null);
    return { instances: [], existing: await countKnown(named, store) };
  }
  try {
    const results = await accept(instances);
    const existing = results.filter(({ outcome }) => outcome !== "accepted").length;
    return { instances: results.map(({ instance }) => instance), existing };
  } catch (error) {
    throw await placed(error, instances, store);
  }
}

/**
 * Number of instances of a dry run that exist already.
 *
 * @param named null for an instance whose request gives no id
 * @throws JobError `already_exists` with the place of an id that another instance has
 */
async function countKnown(
  named: readonly (NewInstance | null)[],
  store: Pick<StoreReads, "get">,
): Promise<number> {
  const found = await Promise.all(named.map((instance) => instance && store.get(instance.id)));
  for (const [index, known] of found.entries()) {
    const instance = named[index];
    if (known === null || !isOther(instance!, known)) continue;
    if (named.length === 1) refuse(instance!);
    inRequest(index, () => refuse(instance!));
  }
  return found.filter((known) => known !== null).length;
}

function refuse({ id, kind }: NewInstance): never {
  throw new JobError("already_exists", `Cannot enqueue "${kind}" with id "${id}": it is taken`, {
    path: "id",
    hint: "Choose another id",
  });
}

/**
 * The error of a batch that the store has refused, with the place of the request whose id or unique
 * key is taken. The same error if that holder has just been deleted.
 */
async function placed(
  error: unknown,
  instances: readonly NewInstance[],
  store: Reads,
): Promise<unknown> {
  const isTaken = isJobError(error, "already_exists") &&
    (error.path === "id" || error.path === "uniqueKey");
  if (!isTaken || instances.length === 1) return error;
  const index = await findTaken(error.path === "id" ? "id" : "uniqueKey", instances, store);
  if (index === null) return error;
  try {
    return inRequest(index, () => {
      throw error;
    });
  } catch (named) {
    return named;
  }
}

async function findTaken(
  name: "id" | "uniqueKey",
  instances: readonly NewInstance[],
  store: Reads,
): Promise<number | null> {
  const earlier = new Map<string, Holder>();
  for (const [index, instance] of instances.entries()) {
    const value = instance[name];
    if (value === null) continue;
    const holder = earlier.get(value) ?? await holderOf(name, value, store);
    if (holder !== null && isOther(instance, holder)) return index;
    earlier.set(value, instance);
  }
  return null;
}

async function holderOf(
  name: "id" | "uniqueKey",
  value: string,
  store: Reads,
): Promise<Holder | null> {
  if (name === "id") return await store.get(value);
  const { items } = await store.list({ uniqueKey: value }, { limit: 1 });
  return items[0] ?? null;
}

function isOther({ kind, argumentsJson }: NewInstance, holder: Holder): boolean {
  return kind !== holder.kind || argumentsJson !== holder.argumentsJson;
}
