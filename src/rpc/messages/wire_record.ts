import { create, isMessage, ScalarType } from "@bufbuild/protobuf";
import type {
  DescField,
  DescMessage,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, TimestampSchema } from "@bufbuild/protobuf/wkt";

/**
 * A message as the manager's records are written: times are epoch ms, numbers of 64 bits are plain
 * numbers, and null is absent. Other members of a record are not sent.
 */
export type WireRecord<T extends DescMessage> = RecordOf<MessageShape<T>>;

type RecordOf<M> = {
  readonly [Name in Exclude<keyof M, keyof Message>]?: FieldOf<M[Name]> | null;
};

type FieldOf<F> =
  | F
  | (F extends Timestamp | bigint ? number
    : F extends readonly (infer Item)[] ? readonly FieldOf<Item>[]
    : F extends Message ? RecordOf<F>
    : never);

/**
 * The message of a record.
 *
 * @param isJson of two fields with the same values as texts and as JSON text, the latter is sent
 */
export function toMessage<T extends DescMessage>(
  schema: T,
  record: MessageInitShape<T> | WireRecord<T>,
  isJson = false,
): MessageShape<T> {
  if (isMessage(record, schema)) return record;
  const init: Record<string, unknown> = { ...record };
  const { conversions, texts, jsons } = planOf(schema);
  for (const name of isJson ? texts : jsons) init[name] = undefined;
  for (const { name, convert } of conversions) {
    const value = init[name];
    if (value !== undefined && value !== null) init[name] = convert(value, isJson);
  }
  return create(schema, init as MessageInitShape<T>);
}

/** How the value of a field is made from a record's. */
interface Conversion {
  /** Name of the field in both. */
  readonly name: string;
  readonly convert: (value: unknown, isJson: boolean) => unknown;
}

/** How the message of a type is made. */
interface Plan {
  readonly conversions: Conversion[];
  /** The fields whose values are also in a field of JSON text, and those fields. */
  readonly texts: string[];
  readonly jsons: string[];
}

const plans = new Map<DescMessage, Plan>();

/** The plan of a message type, which is inspected once. */
function planOf(schema: DescMessage): Plan {
  const known = plans.get(schema);
  if (known) return known;
  const plan: Plan = { conversions: [], texts: [], jsons: [] };
  plans.set(schema, plan);
  for (const field of schema.fields) {
    const json = schema.fields.find(({ name }) => name === `${field.name}_json`);
    if (json) {
      plan.texts.push(field.localName);
      plan.jsons.push(json.localName);
    }
    const convert = conversionOf(field);
    if (convert === null || field.oneof) continue;
    const isList = field.fieldKind === "list";
    const convertAll = (items: unknown, isJson: boolean) =>
      (items as readonly unknown[]).map((item) => convert(item, isJson));
    plan.conversions.push({ name: field.localName, convert: isList ? convertAll : convert });
  }
  return plan;
}

function conversionOf({ scalar, message }: DescField): Conversion["convert"] | null {
  if (scalar === ScalarType.INT64) return (value) => BigInt(value as number | bigint);
  if (!message) return null;
  if (message.typeName !== TimestampSchema.typeName) {
    return (value, isJson) => toMessage(message, value as object, isJson);
  }
  return (value) => typeof value === "number" ? timestampFromMs(value) : value;
}
