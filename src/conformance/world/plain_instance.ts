// Separate: tests of one store use it without the suite.
import { FIELD_ENTRIES } from "../../store/instance_fields.ts";
import type { NewInstance } from "../../store/store.ts";

/** An instance to accept, with defaults for everything but its id and due time. */
export function plainInstance(
  given: Pick<NewInstance, "id" | "dueAt"> & Partial<NewInstance>,
): NewInstance {
  const kind = given.kind ?? "mail";
  return {
    kind,
    priority: 5,
    queueKey: kind,
    uniqueKey: null,
    argumentsJson: "[]",
    scheduleId: null,
    scheduledFor: null,
    retryOf: null,
    deadlineAt: null,
    retryMax: 0,
    crashesMax: 3,
    timeoutMs: 0,
    keepSuccessMs: 60_000,
    keepFailureMs: 120_000,
    ...given,
  };
}

/** A text for each optional field of requests. */
export function textFields(): Partial<NewInstance> {
  const names = FIELD_ENTRIES.filter(([, { given, isOptional }]) => given === "text" && isOptional);
  return Object.fromEntries(names.map(([name]) => [name, `${name} ä \u{1f600}`]));
}
