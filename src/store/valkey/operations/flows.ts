import type { StepPut } from "../../../core/wait.ts";
import { checkPuts, checkSignals } from "../../ledger/operations/flows.ts";
import { storable } from "../../ledger/storable.ts";
import type { SignalResult, Store } from "../../store.ts";
import { readWhole } from "../codec/instances.ts";
import type { Unpacker } from "../codec/msgpack.ts";
import { packStep } from "../codec/settlements.ts";
import { type OperationQueue, weightOf } from "./operation_queue.ts";

/** Records steps of claims, and signals. */
export function flowOperations(queue: OperationQueue) {
  return {
    async putSteps({ puts }) {
      checkPuts(puts);
      return await queue.write({
        action: "putSteps",
        weight: weightOf(
          puts.length,
          puts.reduce((sum, { steps }) => sum + charsOfSteps(steps), 0),
        ),
        args: [puts.map(({ id, fence, steps }) => [id, fence, steps.map(packStep)])],
        read: (from) => {
          const stale = from.read() as readonly number[];
          return stale.map((place) => {
            const { id, fence } = puts[place - 1]!;
            return { id, fence };
          });
        },
      });
    },

    async signal({ signals }) {
      checkSignals(signals);
      return await queue.write({
        action: "signal",
        weight: weightOf(
          signals.length,
          signals.reduce((sum, { data }) => sum + data.length, 0),
        ),
        args: [
          signals.map(({ to, name, data, signalId }) => [
            "id" in to && to.id,
            "uniqueKey" in to && storable(to.uniqueKey),
            name,
            storable(data),
            signalId ?? false,
          ]),
        ],
        read: readSignaled,
      });
    },
  } satisfies Partial<Store>;
}

/** Characters of step records, and what each costs beside them. */
export function charsOfSteps(steps: readonly StepPut[]): number {
  return steps.reduce((sum, { data }) => sum + 1_024 + data.length, 0);
}

/** Read the fates of signals. */
function readSignaled(from: Unpacker): readonly SignalResult[] {
  return from.items(1, () => {
    const count = from.list();
    const status = from.text() as SignalResult["status"];
    return { status, instance: count > 1 ? readWhole(from).instance : null };
  });
}
