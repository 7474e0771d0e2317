import { isJobError, JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import type { FlowMethod, RecordPage } from "../../core/flow/flow_calls.ts";
import {
  madeKey,
  memberKey,
  openKey,
  PUTS_MAX,
  stepPrefix,
  type StepPut,
  STEPS_MAX,
} from "../../core/wait.ts";
import { orElseIf } from "../../core/or_else.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import { BATCH_MAX, type ClaimKey, type Store } from "../../store/store.ts";
import type { InstanceApi } from "../api/instances.ts";
import { childId } from "./child_id.ts";

/** Errors of a store that does not respond, and the time before the next try. */
const AWAY = ["unavailable", "timeout"] as const;
const AGAIN_MS = 500;
/** Version of the ids of children of steps. */
const OF_STEP = "8";
/** Records read at a time: each may have a megabyte. */
const READ_MAX = 50;
/** Characters of records after which a page ends. */
const PAGE_CHARS = 500_000;

interface FlowCallsOptions {
  readonly manager: Pick<InstanceApi, "scheduleJob" | "scheduleBatch" | "cancelInstances">;
  readonly store: Pick<Store, "listMemos" | "putSteps" | "list">;
  readonly clock: Clock;
  readonly isClaimed: (claim: ClaimKey) => boolean;
}

type Handler = (by: Instance, args: readonly unknown[]) => Promise<unknown>;

/** Handles the calls by which a running attempt reads and records its steps, and calls children. */
export class FlowCalls {
  readonly #options: FlowCallsOptions;
  readonly #methods: Readonly<Record<FlowMethod, Handler>> = {
    "flow.load": (by, [after]) => this.#load(by, after),
    "flow.put": (by, [puts]) => this.#put(by, readPuts(puts)),
    "flow.call": (by, args) => this.#call(by, args),
    "flow.callAll": (by, args) => this.#callAll(by, args),
    "flow.cancel": (by, [key]) => this.#cancel(by, String(key)),
  };

  constructor(options: FlowCallsOptions) {
    this.#options = options;
  }

  /** True for a method of these. */
  has(method: string): method is FlowMethod {
    return Object.hasOwn(this.#methods, method);
  }

  handle(by: Instance, method: FlowMethod, args: readonly unknown[]): Promise<unknown> {
    return this.#methods[method](by, args);
  }

  async #load({ id }: Instance, after: unknown): Promise<RecordPage> {
    const prefix = stepPrefix(id);
    const records: [string, string][] = [];
    let last = typeof after === "string" ? prefix + after : null;
    for (let chars = 0; chars < PAGE_CHARS;) {
      const found = await this.#options.store.listMemos({ prefix, after: last, limit: READ_MAX });
      for (const { key, data } of found) {
        records.push([key.slice(prefix.length), data]);
        last = key;
        chars += data.length;
        if (chars >= PAGE_CHARS) break;
      }
      if (found.length < READ_MAX && last === (found.at(-1)?.key ?? last)) {
        return { records, after: null };
      }
    }
    return { records, after: last!.slice(prefix.length) };
  }

  /** Repeats it while the store does not respond: a step that has ended must not run again. */
  async #put({ id, fence }: Instance, steps: readonly StepPut[]): Promise<null> {
    const { store, clock, isClaimed } = this.#options;
    const puts = [{ id, fence, steps }];
    while (isClaimed({ id, fence })) {
      const put = orElseIf(store.putSteps({ at: clock.now(), puts }), AWAY, null);
      const stale = (await put)?.value;
      if (stale?.length === 0) return null;
      if (stale !== undefined) break;
      await sleep(clock, AGAIN_MS);
    }
    throw new JobError(
      "stale_fence",
      `Cannot record steps of instance "${id}": its claim has expired`,
    );
  }

  async #call(by: Instance, [step, kind, given]: readonly unknown[]): Promise<null> {
    const key = String(step);
    // Like a step, it lets a cancel run the function once more.
    if (!by.stepsAt) await this.#put(by, [{ key: madeKey(key), data: "{}", isNew: true }]);
    const options = { arguments: listOf(given), id: childId(by, key, OF_STEP) };
    await existing(this.#options.manager.scheduleJob(String(kind), options, {
      ...by,
      steps: [key],
    }));
    return null;
  }

  async #callAll(
    by: Instance,
    [step, kind, given, isFast]: readonly unknown[],
  ): Promise<null> {
    const key = String(step);
    const all = listOf(given).map(listOf);
    if (all.length > STEPS_MAX) {
      throw new JobError(
        "invalid_argument",
        `Cannot call "${kind}" ${all.length} times at once: at most ${STEPS_MAX} are allowed`,
        { hint: "Call it in several parts" },
      );
    }
    const open = { open: all.length, total: all.length, isFast: isFast === true };
    await this.#put(by, [{ key: openKey(key), data: JSON.stringify(open), isNew: true }]);
    for (let from = 0; from < all.length; from += BATCH_MAX) {
      const part = all.slice(from, from + BATCH_MAX);
      const steps = part.map((_, index) => memberKey(key, from + index));
      const requests = part.map((args, index) => {
        return { kind: String(kind), arguments: args, id: childId(by, steps[index]!, OF_STEP) };
      });
      await existing(
        this.#options.manager.scheduleBatch(requests, { parent: { ...by, steps } }),
      );
    }
    return await this.#put(by, [{ key: madeKey(key), data: "{}" }]);
  }

  /** Cancel the children of a call that have not ended. */
  async #cancel({ id }: Instance, key: string): Promise<null> {
    const { store, manager } = this.#options;
    const states = ["created", "scheduled", "processing"] as const;
    let token: string | undefined;
    do {
      const page = { limit: BATCH_MAX, order: "oldest", ...(token ? { token } : {}) } as const;
      const { items, nextToken } = await store.list({ parentId: id, states }, page);
      const ids = items.filter(({ parentStep }) => parentStep?.startsWith(`${key}/`))
        .map((child) => child.id);
      if (ids.length > 0) await manager.cancelInstances({ ids });
      token = nextToken ?? undefined;
    } while (token !== undefined);
    return null;
  }
}

/** A child that an earlier run called with other arguments is the same child. */
async function existing(accepted: Promise<unknown>): Promise<void> {
  try {
    await accepted;
  } catch (error) {
    if (!isJobError(error, "already_exists") || error.path !== "id") throw error;
  }
}

function readPuts(given: unknown): readonly StepPut[] {
  if (!Array.isArray(given) || given.length > PUTS_MAX) throw unreadable("records");
  return given.map((put) => {
    if (!isObject(put) || typeof put.key !== "string") throw unreadable("a record");
    const data = JSON.stringify(put.data ?? null);
    return { key: put.key, data, ...(put.isNew === true ? { isNew: true } : {}) };
  });
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unreadable("arguments");
}

function unreadable(what: string): JobError {
  return new JobError("invalid_argument", `Cannot read ${what} of a step`);
}
