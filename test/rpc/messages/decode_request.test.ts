import { create, type DescMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import test from "node:test";
import { TEXT_LENGTH_MAX } from "../../../src/core/text/text_limits.ts";
import { decodeRequest } from "../../../src/rpc/messages/decode_request.ts";
import { JobService } from "../../../src/rpc/gen/job_pb.ts";

/** Fields whose text is limited as a value, or cut. */
const ARGUMENTS: ReadonlySet<string> = new Set([
  "arguments",
  "arguments_json",
  "output",
  "value_json",
  "set_json",
]);
const LIMITS: Readonly<Record<string, number>> = {
  unique_key: TEXT_LENGTH_MAX.uniqueKey,
  reason: TEXT_LENGTH_MAX.pauseReason,
  cron: TEXT_LENGTH_MAX.cron,
  blackout: TEXT_LENGTH_MAX.blackout,
  page_token: TEXT_LENGTH_MAX.pageToken,
  cursor: TEXT_LENGTH_MAX.pageToken,
  to: TEXT_LENGTH_MAX.address,
  prefix: TEXT_LENGTH_MAX.address,
};

/** Requests with one text of a given length, one for each text field at any depth. */
function* requestsOf(
  schema: DescMessage,
  length: number | null,
): Generator<
  { readonly name: string; readonly lengthMax: number; readonly init: Record<string, unknown> }
> {
  for (const field of schema.fields) {
    const wrap = (value: unknown) => ({
      [field.localName]: field.fieldKind === "list" ? [value] : value,
    });
    if (ARGUMENTS.has(field.name)) continue;
    const { scalar } = field;
    if (scalar === ScalarType.STRING) {
      const lengthMax = LIMITS[field.name] ?? TEXT_LENGTH_MAX.name;
      yield { name: field.name, lengthMax, init: wrap("x".repeat(length ?? lengthMax)) };
    } else if (field.message && !field.message.typeName.startsWith("google.")) {
      for (const inner of requestsOf(field.message, length)) {
        yield { ...inner, name: `${field.name}.${inner.name}`, init: wrap(inner.init) };
      }
    }
  }
}

for (const { name, input } of JobService.methods) {
  for (const { name: field, lengthMax, init } of requestsOf(input, null)) {
    test(`decodeRequest() takes ${field} of ${name} with ${lengthMax} characters and not one more`, () => {
      const bytes = toBinary(input, create(input, init));
      assert.ok(decodeRequest(input.typeName, bytes));
      const [longer] = [...requestsOf(input, lengthMax + 1)].filter((one) => one.name === field);
      const tooLong = toBinary(input, create(input, longer!.init));
      assert.throws(() => decodeRequest(input.typeName, tooLong), {
        code: "invalid_argument",
        path: field,
        message: `Cannot read field "${field}": found ${lengthMax + 1} characters, ` +
          `wanted at most ${lengthMax}`,
      });
    });
  }
}

test("decodeRequest() refuses lists whose items would take long to read", () => {
  const bytesOf = (count: number, item: readonly number[]) =>
    Uint8Array.from({ length: count * item.length }, (_, at) => item[at % item.length]!);
  const refused = { code: "invalid_argument", message: /its lists are too long/ };
  // Empty requests of a batch.
  const batch = (count: number) =>
    decodeRequest("job.v1.ScheduleJobsRequest", bytesOf(count, [0x0a, 0]));
  assert.ok(batch(10_000));
  assert.throws(() => batch(10_001), refused);
  // States, packed: the field 103 of the query.
  const length = [0xa1, 0x8d, 6];
  const states = Uint8Array.from([0xba, 6, ...length, ...bytesOf(100_001, [1])]);
  const query = Uint8Array.from([0x0a, 0xa6, 0x8d, 6, ...states]);
  assert.throws(() => decodeRequest("job.v1.LookupInstancesRequest", query), refused);
});
