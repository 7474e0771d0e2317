import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { TEXT_LENGTH_MAX } from "../../core/text/text_limits.ts";
import { refuse } from "./requests.ts";

/**
 * Longest text of request fields, by name. Other fields have the limit of a name; null is limited
 * elsewhere.
 */
const FIELD_LENGTH_MAX: Readonly<Record<string, number | null>> = {
  // The job's types and the payload size limit the arguments.
  arguments: null,
  arguments_json: null,
  // Cut to its own limit.
  output: null,
  unique_key: TEXT_LENGTH_MAX.uniqueKey,
  reason: TEXT_LENGTH_MAX.pauseReason,
  cron: TEXT_LENGTH_MAX.cron,
  blackout: TEXT_LENGTH_MAX.blackout,
  page_token: TEXT_LENGTH_MAX.pageToken,
  cursor: TEXT_LENGTH_MAX.pageToken,
  to: TEXT_LENGTH_MAX.address,
  prefix: TEXT_LENGTH_MAX.address,
};

/** A field of a message that is text or contains text. */
interface TextField {
  readonly field: DescField;
  readonly lengthMax: number;
  /** Text fields of a nested message. */
  readonly inner: readonly TextField[] | null;
}

const plans = new Map<DescMessage, readonly TextField[]>();

/** The text fields of a message type; each type is inspected once. */
function planOf(schema: DescMessage): readonly TextField[] {
  const known = plans.get(schema);
  if (known) return known;
  const plan: TextField[] = [];
  plans.set(schema, plan);
  for (const field of schema.fields) {
    const lengthMax = Object.hasOwn(FIELD_LENGTH_MAX, field.name)
      ? FIELD_LENGTH_MAX[field.name]!
      : TEXT_LENGTH_MAX.name;
    if (lengthMax === null) continue;
    if (field.scalar === ScalarType.STRING) plan.push({ field, lengthMax, inner: null });
    else if (field.message) {
      const inner = planOf(field.message);
      if (inner.length > 0) plan.push({ field, lengthMax, inner });
    }
  }
  return plan;
}

/**
 * Check that no text in a request exceeds the limit of its field.
 *
 * @throws JobError `invalid_argument` naming the field
 */
export function checkTexts(schema: DescMessage, message: object): void {
  check(planOf(schema), message, "");
}

function check(plan: readonly TextField[], message: object, prefix: string): void {
  for (const { field, lengthMax, inner } of plan) {
    const value = valueOf(message, field);
    if (value === undefined || value === "") continue;
    if (!Array.isArray(value)) checkValue(value, { field, lengthMax, inner }, prefix);
    else for (const each of value) checkValue(each, { field, lengthMax, inner }, prefix);
  }
}

/** The value of a field; a member of a oneof has one only if the oneof names it. */
function valueOf(message: object, { localName, oneof }: DescField): unknown {
  if (oneof === undefined) return Reflect.get(message, localName);
  const member: { readonly case?: string; readonly value?: unknown } = Reflect.get(
    message,
    oneof.localName,
  );
  return member.case === localName ? member.value : undefined;
}

function checkValue(value: unknown, { field, lengthMax, inner }: TextField, prefix: string): void {
  if (inner !== null) return check(inner, value as object, `${prefix}${field.name}.`);
  const { length } = value as string;
  if (length <= lengthMax) return;
  throw refuse(`${prefix}${field.name}`, `found ${length} characters, wanted at most ${lengthMax}`);
}
