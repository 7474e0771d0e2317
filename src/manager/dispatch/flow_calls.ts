import { isJobError, JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import type { ChildrenCall, FlowMethod, RecordPage } from "../../core/flow/flow_calls.ts";
import {
  groupOf,
  isMemberKey,
  madeKey,
  memberKey,
  type OpenChildren,
  openKey,
  PUTS_MAX,
  stepPrefix,
  type StepPut,
  STEPS_MAX,
  TURN_IDS,
  turnIdsKey,
  turnsKey,
} from "../../core/wait.ts";
import { isObject, isWhole } from "../../core/text/object_keys.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import { BATCH_MAX, type ClaimKey, type Store } from "../../store/store.ts";
import type { InstanceApi } from "../api/instances.ts";
import { childId } from "./child_id.ts";

/** Errors of a store that does not respond, and the time before the next try. */
const AWAY: readonly string[] = ["unavailable", "timeout"];
const AGAIN_MS = 500;
/** Version of the ids of children of steps. */
const OF_STEP = "8";
/** Records read at a time: each may have a megabyte. */
const READ_MAX = 50;
/** Characters of records after which a page ends. */
const PAGE_CHARS = 500_000;
/** Stands for the end of a page. */
const END = "end";

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
    "flow.load": (by, [after]) => this.#patiently(by, () => this.#load(by, after)),
    "flow.put": (by, [puts]) => this.#put(by, readPuts(puts)),
    "flow.call": (by, args) => this.#call(by, args),
    "flow.callAll": (by, args) => this.#callAll(by, args),
    "flow.children": (by, [key, after]) =>
      this.#patiently(by, () => this.#children(by, String(key), after)),
    "flow.cancel": (by, [key]) => this.#patiently(by, () => this.#cancel(by, String(key))),
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

  /** The records of an instance without outcomes of several children: see {@link #children}. */
  async #load({ id }: Instance, after: unknown): Promise<RecordPage> {
    const prefix = stepPrefix(id);
    const start = typeof after === "string" ? prefix + after : null;
    return await this.#page(prefix, start, (key) => {
      const group = isMemberKey(key) ? groupOf(key) : null;
      // After every place among the children.
      return group === null ? null : `${group}/:`;
    });
  }

  /** Outcomes of several children, in the order of their places. */
  async #children({ id }: Instance, key: string, after: unknown): Promise<RecordPage> {
    const last = typeof after === "string" ? after : `${key}/`;
    const prefix = stepPrefix(id);
    return await this.#page(prefix, prefix + last, (found) => {
      return isMemberKey(found) && groupOf(found) === key ? null : END;
    });
  }

  /**
   * Records in the order of their keys, up to a limit of characters.
   *
   * @param skip the place behind a record and others that are not wanted; null to take it
   */
  async #page(
    prefix: string,
    start: string | null,
    skip: (key: string) => string | null,
  ): Promise<RecordPage> {
    const records: [string, string][] = [];
    let last = start;
    for (let chars = 0; chars < PAGE_CHARS;) {
      const found = await this.#options.store.listMemos({ prefix, after: last, limit: READ_MAX });
      let skipped = false;
      for (const { key, data } of found) {
        const step = key.slice(prefix.length);
        const behind = skip(step);
        if (behind === END) return { records, after: null };
        last = prefix + (behind ?? step);
        skipped = behind !== null;
        if (skipped) break;
        records.push([step, data]);
        chars += data.length;
        if (chars >= PAGE_CHARS) break;
      }
      if (!skipped && chars < PAGE_CHARS && found.length < READ_MAX) {
        return { records, after: null };
      }
    }
    return { records, after: last!.slice(prefix.length) };
  }

  async #put(by: Instance, steps: readonly StepPut[]): Promise<null> {
    const { store, clock } = this.#options;
    const { id, fence } = by;
    const puts = [{ id, fence, steps }];
    const { value } = await this.#patiently(by, () => store.putSteps({ at: clock.now(), puts }));
    if (value.length > 0) throw expired(by);
    return null;
  }

  /** Repeat a call while the store does not respond: a step that has ended must not run again. */
  async #patiently<T>(by: Instance, call: () => Promise<T>): Promise<T> {
    while (this.#options.isClaimed(by)) {
      try {
        return await call();
      } catch (error) {
        if (!isJobError(error) || !AWAY.includes(error.code)) throw error;
      }
      await sleep(this.#options.clock, AGAIN_MS);
    }
    throw expired(by);
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

  async #callAll(by: Instance, [given]: readonly unknown[]): Promise<null> {
    const call = readChildren(given);
    const { key, kind, args } = call;
    if (args.length > STEPS_MAX) {
      throw new JobError(
        "invalid_argument",
        `Cannot call "${kind}" ${args.length} times at once: at most ${STEPS_MAX} are allowed`,
        { hint: "Call it in several parts" },
      );
    }
    const steps = args.map((_, index) => memberKey(key, index));
    const ids = steps.map((step) => childId(by, step, OF_STEP));
    const takesTurns = call.inFlight !== null && call.inFlight < args.length;
    await this.#put(by, [
      ...(takesTurns ? turnRecords(key, ids) : []),
      { key: openKey(key), data: JSON.stringify(openChildren(call, takesTurns)), isNew: true },
    ]);
    for (let from = 0; from < args.length; from += BATCH_MAX) {
      const requests = args.slice(from, from + BATCH_MAX).map((one, index) => {
        return { kind, arguments: one, id: ids[from + index]! };
      });
      const parent = { ...by, steps: steps.slice(from, from + BATCH_MAX), takesTurns };
      await existing(this.#options.manager.scheduleBatch(requests, { parent }));
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

function openChildren(
  { args, isFast, failuresMax, inFlight, isBare }: ChildrenCall,
  takesTurns: boolean,
): OpenChildren {
  return {
    open: args.length,
    total: args.length,
    failed: 0,
    isFast,
    ...(failuresMax === null ? {} : { failuresMax }),
    ...(isBare ? { isBare } : {}),
    ...(takesTurns ? { turns: { max: inFlight!, next: 0, running: 0 } } : {}),
  };
}

/** The records by which the store gives children their turns: it cannot make their ids. */
function turnRecords(key: string, ids: readonly string[]): readonly StepPut[] {
  const parts = Array.from({ length: Math.ceil(ids.length / TURN_IDS) }, (_, part) => {
    const from = part * TURN_IDS;
    const data = JSON.stringify(ids.slice(from, from + TURN_IDS).join(""));
    return { key: turnIdsKey(key, from), data, isNew: true };
  });
  return [{ key: turnsKey(key), data: "{}", isNew: true }, ...parts];
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

function readChildren(given: unknown): ChildrenCall {
  if (!isObject(given)) throw unreadable("a call");
  const { key, kind, args, isFast, failuresMax, inFlight, isBare } = given;
  return {
    key: String(key),
    kind: String(kind),
    args: listOf(args).map(listOf),
    isFast: isFast === true,
    failuresMax: isWhole(0)(failuresMax) ? failuresMax as number : null,
    inFlight: isWhole(1)(inFlight) ? inFlight as number : null,
    isBare: isBare === true,
  };
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unreadable("arguments");
}

function expired({ id }: Instance): JobError {
  return new JobError(
    "stale_fence",
    `Cannot record steps of instance "${id}": its claim has expired`,
  );
}

function unreadable(what: string): JobError {
  return new JobError("invalid_argument", `Cannot read ${what} of a step`);
}
