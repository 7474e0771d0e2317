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

/** The message of a record. */
export function toMessage<T extends DescMessage>(
  schema: T,
  record: MessageInitShape<T> | WireRecord<T>,
): MessageShape<T> {
  if (isMessage(record, schema)) return record;
  const init: Record<string, unknown> = { ...record };
  for (const { name, convert } of conversionsOf(schema)) {
    const value = init[name];
    if (value !== undefined && value !== null) init[name] = convert(value);
  }
  return create(schema, init as MessageInitShape<T>);
}

/** How the value of a field is made from a record's. */
interface Conversion {
  /** Name of the field in both. */
  readonly name: string;
  readonly convert: (value: unknown) => unknown;
}

const conversions = new Map<DescMessage, readonly Conversion[]>();

/** The conversions of a message type, which is inspected once. */
function conversionsOf(schema: DescMessage): readonly Conversion[] {
  const known = conversions.get(schema);
  if (known) return known;
  const found: Conversion[] = [];
  conversions.set(schema, found);
  for (const field of schema.fields) {
    const convert = conversionOf(field);
    if (convert === null || field.oneof) continue;
    const isList = field.fieldKind === "list";
    const convertAll = (items: unknown) => (items as readonly unknown[]).map(convert);
    found.push({ name: field.localName, convert: isList ? convertAll : convert });
  }
  return found;
}

function conversionOf({ scalar, message }: DescField): Conversion["convert"] | null {
  if (scalar === ScalarType.INT64) return (value) => BigInt(value as number | bigint);
  if (!message) return null;
  if (message.typeName !== TimestampSchema.typeName) {
    return (value) => toMessage(message, value as object);
  }
  return (value) => typeof value === "number" ? timestampFromMs(value) : value;
}
