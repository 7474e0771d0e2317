import { plainInstance as buildInstance } from "../../src/conformance/world/plain_instance.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { createIdSource } from "../../src/platform/ids.ts";
import { systemRandom } from "../../src/platform/random.ts";
import type { NewInstance } from "../../src/store/store.ts";

const newId = createIdSource(systemClock, systemRandom);

/** An instance that is due now and has nothing but its kind, unless `given` says more. */
export function plainInstance(
  kind: string,
  given: Partial<Pick<NewInstance, "priority" | "queueKey">> = {},
): NewInstance {
  return buildInstance({
    id: newId(),
    kind,
    dueAt: systemClock.now().wallMs,
    keepSuccessMs: 604_800_000,
    keepFailureMs: 2_592_000_000,
    ...given,
  });
}
