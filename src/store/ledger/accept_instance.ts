import type { Instance } from "../../core/instance.ts";
import type { NewInstance } from "../store.ts";
import { acceptedFields } from "./gen/accepted_fields.ts";
import type { Dated } from "./state.ts";

/** The accepted instance of a request whose names have been checked. */
export function acceptInstance(input: NewInstance, { at, stamp, wallMs }: Dated): Instance {
  return acceptedFields(input, {
    state: "scheduled",
    uniqueUntil: uniqueUntil(input, stamp),
    dueAt: Math.ceil(input.dueAt ?? wallMs),
    createdAt: at,
    scheduledAt: at,
  });
}

function uniqueUntil({ uniqueKey, unique }: NewInstance, from: number): number | null {
  if (uniqueKey === null || !unique || unique.forMs === null) return null;
  return Math.min(from + Math.ceil(unique.forMs), Number.MAX_SAFE_INTEGER);
}
