import type { ChangeHint } from "../../store.ts";

/** What a call changed, as its hints: one of each type. */
export function readHints(value: unknown): readonly ChangeHint[] {
  const [dueAt, claims, schedules, pauses, nodes, deadlines] = value as readonly unknown[];
  const hints: ChangeHint[] = [];
  if (typeof dueAt === "number") hints.push({ type: "instances", dueAt });
  if (schedules) hints.push({ type: "schedules" });
  if (claims) {
    const keys = claims as readonly (readonly [string, number])[];
    hints.push({ type: "cancel", claims: keys.map(([id, fence]) => ({ id, fence })) });
  }
  if (pauses) hints.push({ type: "pauses" });
  if (nodes) hints.push({ type: "nodes" });
  if (deadlines) hints.push({ type: "deadlines" });
  return hints;
}
