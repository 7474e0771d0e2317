import type { Instance } from "../../core/instance.ts";
import type { StoredLine } from "../memory/logs.ts";
import type { Row } from "../ledger/tables/row.ts";
import { FIELD_ENTRIES } from "../instance_fields.ts";

/** Approximate length of a value without its texts, with its key. */
export const VALUE_LENGTH = 200;

/** Members of a value that were written by a newer version, and are kept. */
export type Extra = Readonly<Record<string, unknown>>;

const NAMES = FIELD_ENTRIES.map(([name]) => name);
/** The omitted values; undefined: never omitted. */
const USUAL: readonly unknown[] = FIELD_ENTRIES.map(([, { usual }]) => usual);
const KNOWN: ReadonlySet<string> = new Set([...NAMES, "leaseMs", "held"]);

/** An instance as stored in its row. */
export interface InstanceValue {
  readonly instance: Instance;
  readonly isHeld: boolean;
  /** The lease of its claim when it was made; null if not claimed, or unknown. */
  readonly leaseMs: number | null;
  readonly extra: Extra | null;
}

/** The value of an instance's row. */
export function writeInstance(
  { instance }: Row,
  { isHeld, leaseMs, extra }: Omit<InstanceValue, "instance">,
): string {
  const value: Record<string, unknown> = {};
  for (let index = 0; index < NAMES.length; index++) {
    const name = NAMES[index]!;
    const member = instance[name];
    if (member !== USUAL[index] && !(name === "queueKey" && member === instance.kind)) {
      value[name] = member;
    }
  }
  if (leaseMs !== null) value["leaseMs"] = leaseMs;
  if (isHeld) value["held"] = true;
  return JSON.stringify(extra === null ? value : { ...extra, ...value });
}

/** Read the value of an instance's row. */
export function readInstance(text: string): InstanceValue {
  const value = JSON.parse(text) as Record<string, unknown>;
  const instance: Record<string, unknown> = {};
  let knownCount = 0;
  for (let index = 0; index < NAMES.length; index++) {
    const name = NAMES[index]!;
    const member = value[name];
    if (member !== undefined) knownCount += 1;
    instance[name] = member === undefined ? USUAL[index] : member;
  }
  instance["queueKey"] ??= instance["kind"];
  const { leaseMs = null, held = false } = value as { leaseMs?: number | null; held?: boolean };
  knownCount += Number("leaseMs" in value) + Number("held" in value);
  const extra = knownCount === Object.keys(value).length ? null : extraOf(value, KNOWN);
  return { instance: instance as unknown as Instance, isHeld: held, leaseMs, extra };
}

/** The value of a log line's row. */
export function writeLog({ instanceSeq, entry }: StoredLine): string {
  const { at, level, message, source, attempt, fence, seq } = entry;
  return JSON.stringify({ of: instanceSeq, at, level, message, source, attempt, fence, seq });
}

/** The members of a value that are not in `known`; null without any. */
export function extraOf(
  value: Readonly<Record<string, unknown>>,
  known: ReadonlySet<string>,
): Extra | null {
  const unknown = Object.entries(value).filter(([name]) => !known.has(name));
  return unknown.length === 0 ? null : Object.fromEntries(unknown);
}

/** About the length of an instance's row in characters. */
export function lengthOf({ instance: { argumentsJson, resultsJson } }: Row): number {
  return 2 * VALUE_LENGTH + argumentsJson.length + (resultsJson?.length ?? 0);
}
