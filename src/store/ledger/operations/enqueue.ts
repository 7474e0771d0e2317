import type { Instance } from "../../../core/instance.ts";
import type { EnqueueResult, NewInstance } from "../../store.ts";
import { instanceChars, PAGE_CHARS_MAX } from "../../../core/payload_chars.ts";
import { checkBatch, checkNewInstance, QuotaError } from "../checks.ts";
import { replaceRow } from "./cancel.ts";
import { waitingError } from "../refusals.ts";
import { acceptInstance } from "../accept_instance.ts";
import type { LedgerState, Moment } from "../state.ts";
import type { Row } from "../tables/row.ts";
import { turnOf } from "./turns.ts";
import { assertSame, keyHolder, resolveConflict } from "./unique.ts";

/** Most characters of existing instances returned instead of new ones. */
const EXISTING_CHARS_MAX = 8 * PAGE_CHARS_MAX;

/** An instance to write, and the one it replaces. */
interface Planned {
  readonly instance: Instance;
  readonly replacedId: string | null;
  /** Place of its result. */
  readonly index: number;
}

/** Accept instances, all or none: every one is checked before the first is written. */
export function enqueue(
  state: LedgerState,
  moment: Moment,
  { instances: inputs }: { readonly instances: readonly NewInstance[] },
): readonly EnqueueResult[] {
  checkBatch(inputs.length, "enqueue");
  const plan = new Plan(state, moment);
  const results = inputs.map((input, index) => plan.add(input, index));
  for (const { instance, replacedId, index } of plan.planned) {
    if (replacedId !== null) {
      const replaced = replaceRow(state, moment, state.tables.instances.get(replacedId)!);
      results[index] = { ...results[index]!, replaced };
      const place = plan.placeOf(replacedId);
      if (place !== undefined) results[place] = { ...results[place]!, instance: replaced };
    }
    insertInstance(state, moment, instance);
  }
  return results;
}

/** The writes of a batch, each checked against the store and earlier writes. */
class Plan {
  readonly planned: Planned[] = [];
  readonly #state: LedgerState;
  readonly #moment: Moment;
  readonly #byId = new Map<string, Instance>();
  readonly #byKey = new Map<string, Instance>();
  /** By kind, the number of the first {@link #counted} that take room. */
  readonly #countByKind = new Map<string, number>();
  #counted = 0;
  #existingChars = 0;
  #places: ReadonlyMap<string, number> | null = null;

  constructor(state: LedgerState, moment: Moment) {
    this.#state = state;
    this.#moment = moment;
  }

  add(input: NewInstance, index: number): EnqueueResult {
    checkNewInstance(input);
    const sameId = this.#byId.get(input.id) ?? this.#state.tables.instances.get(input.id)?.instance;
    if (sameId) {
      assertSame(input, sameId, "id");
      return { instance: this.#existing(sameId), outcome: "sameId" };
    }
    const { uniqueKey } = input;
    const holder = uniqueKey === null
      ? null
      : this.#byKey.get(uniqueKey) ?? keyHolder(this.#state, this.#moment, uniqueKey) ??
        this.#formerHolder(input);
    if (holder && resolveConflict(input, holder, this.#moment) === "return") {
      return { instance: this.#existing(holder), outcome: "sameKey" };
    }
    if (!holder) this.#checkRoom(input);
    const accepted = acceptInstance(input, this.#moment);
    const instance = accepted.waits === null
      ? accepted
      : turnOf(this.#state, this.#moment, accepted);
    this.#byId.set(instance.id, instance);
    if (uniqueKey !== null) this.#byKey.set(uniqueKey, instance);
    this.planned.push({ instance, replacedId: holder?.id ?? null, index });
    return { instance, outcome: "accepted" };
  }

  #formerHolder({ formerKey, kind }: NewInstance): Instance | null {
    if (formerKey === undefined) return null;
    const holder = keyHolder(this.#state, this.#moment, formerKey);
    return holder?.kind === kind ? holder : null;
  }

  /** An existing instance, shared: a small request may refer to many large ones. */
  #existing(instance: Instance): Instance {
    if (this.#byId.get(instance.id) === instance) return instance;
    this.#existingChars += instanceChars(instance);
    if (this.#existingChars <= EXISTING_CHARS_MAX) return instance;
    throw new QuotaError(
      `Cannot enqueue so many at once: those that exist already exceed ${EXISTING_CHARS_MAX} characters`,
      "Send smaller batches",
    );
  }

  /** Place of the result of a planned instance; call it after planning all. */
  placeOf(id: string): number | undefined {
    this.#places ??= new Map(this.planned.map(({ instance, index }) => [instance.id, index]));
    return this.#places.get(id);
  }

  #checkRoom(input: NewInstance): void {
    if (input.waitingMax === undefined) return;
    if (roomFor(this.#state, input) <= this.#plannedOf(input.kind)) {
      throw waitingError(input.kind, input.waitingMax!);
    }
  }

  // Counted on request only: most kinds have no bound.
  #plannedOf(kind: string): number {
    const counts = this.#countByKind;
    for (const { instance, replacedId } of this.planned.slice(this.#counted)) {
      if (replacedId === null) counts.set(instance.kind, (counts.get(instance.kind) ?? 0) + 1);
    }
    this.#counted = this.planned.length;
    return counts.get(kind) ?? 0;
  }
}

/** Write a checked instance, held until earlier ones of its schedule are final. */
export function insertHeld(state: LedgerState, instance: Instance): void {
  state.insert({ seq: state.seq + 1, instance, isReady: null, expireAt: null });
}

/** Number of further instances of a kind that may wait. */
export function roomFor(state: LedgerState, { kind, waitingMax }: NewInstance): number {
  if (waitingMax === undefined) return Infinity;
  const counts = state.counts.get(kind);
  return waitingMax - (counts ? counts.ready + counts.later : 0);
}

/** Write a checked instance, and announce it. */
export function insertInstance(state: LedgerState, moment: Moment, instance: Instance): void {
  if (instance.flowId !== null) beginFlow(state, instance.flowId);
  const isReady = instance.dueAt <= moment.wallMs;
  state.insert({ seq: state.seq + 1, instance, isReady, expireAt: null });
  state.hints.push({ type: "instances", dueAt: instance.dueAt });
}

/** The first instance of a flow belongs to it from its first child on. */
function beginFlow(state: LedgerState, id: string): void {
  const row = state.tables.instances.get(id);
  if (!row || row.instance.flowId !== null) return;
  const after: Row = { ...row, instance: { ...row.instance, flowId: id } };
  state.replace(row, after);
  const lease = state.leases.get(id);
  if (lease) state.setLease(id, { ...lease, row: after });
}
