import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { defaultKeys, jobOptionKeys, optionValues } from "../../../src/config/option_keys.ts";
import { collectFields, readFields, schemaOf } from "../../../src/config/values/schema.ts";
import { Report, type Source } from "../../../src/config/values/source.ts";
import {
  definitionKeys,
  initialValues,
  JOB_DEFAULTS,
  readDefinition,
  withValues,
} from "../../../src/core/job/option_table.ts";
import { duration } from "../../../src/core/job/option_values.ts";
import { JOB_OPTIONS, type JobOptionTable } from "../../../src/core/job/options.ts";
import { checkKeys } from "../../../src/core/text/object_keys.ts";
import {
  optionsText,
  runOptionsModule,
  settingsText,
  typesModule,
} from "../../../scripts/generate/option_types.ts";
import { RUN_OPTIONS } from "../../../src/core/job/run_options.ts";
import { configRows } from "../../support/worlds/config_rows.ts";

/** The table with one entry more. */
const TABLE: JobOptionTable = {
  ...JOB_OPTIONS,
  warm_up: {
    value: duration(),
    option: "warmUpMs",
    initial: "5s",
    isInherited: true,
    doc: "How long it warms up before its `timeout` begins.",
  },
};

const SOURCE: Source = {
  baseDir: "/",
  label: null,
  env: {},
  isText: false,
  placeOf: () => null,
  rawOf: () => undefined,
};

function readTable(value: object, keys = jobOptionKeys(TABLE)) {
  const report = new Report();
  const schema = schemaOf(keys);
  const fields = collectFields(schema, { value, path: [], source: SOURCE }, report);
  return { values: readFields(schema, fields, report), problems: report.problems };
}

test("an option of one entry is a key of a job's table and of [defaults]", () => {
  const { values } = readTable({ warm_up: "1m" });
  assert.deepEqual(optionValues(values, "option", "", TABLE), { warmUpMs: 60_000 });
  const inherited = readTable({ defaults: { warm_up: "2m" } }, defaultKeys(TABLE));
  assert.deepEqual(optionValues(inherited.values, "option", "defaults.", TABLE), {
    warmUpMs: 120_000,
  });
  const [problem] = readTable({ warm_up: true }).problems;
  assert.match(problem!.message, /^found true, wanted a duration/);
});

test("an option of one entry is checked in definitions", () => {
  const { keys } = definitionKeys(TABLE);
  checkKeys({ warmUp: "1m" }, keys, { failure: "Cannot define" });
  assert.throws(
    () => checkKeys({ warmUp: true }, keys, { failure: "Cannot define" }),
    /"warmUp" is true, not milliseconds or duration text/,
  );
});

test("an option of one entry is inherited, and a definition overrides it", () => {
  const defaults = withValues({}, initialValues("option", TABLE));
  assert.deepEqual(defaults, { ...JOB_DEFAULTS, warmUpMs: 5_000 });
  const of = (input: object) => withValues(defaults, readDefinition(input, "option", TABLE));
  assert.deepEqual(of({}), defaults);
  assert.deepEqual(of({ warmUp: "1m" }), { ...defaults, warmUpMs: 60_000 });
  assert.throws(() => of({ warmUp: "soon" }), { path: "warmUp" });
});

test("an option of one entry has rows in the docs", () => {
  const [row] = configRows(defaultKeys(TABLE), { isJob: false }).slice(-1);
  assert.equal(
    row,
    '| `defaults.warm_up` | a duration such as "30s", "1h30m" or "7d" | `"5s"` | How long it warms up before its `timeout` begins. `JOBCTL_DEFAULTS_WARM_UP` |',
  );
});

test("an option of one entry is in the types", () => {
  assert.match(settingsText(TABLE), /\n {2}readonly warmUp\?: DurationInput;\n/);
  assert.match(optionsText(TABLE), /\n {2}readonly warmUpMs: number;\n/);
});

test("the types of options are those that `npm run generate` writes", () => {
  const file = new URL("../../../src/core/job/gen/job_options.ts", import.meta.url);
  assert.equal(readFileSync(file, "utf8"), typesModule(JOB_OPTIONS));
  const runFile = new URL("run_options.ts", file);
  assert.equal(readFileSync(runFile, "utf8"), runOptionsModule(RUN_OPTIONS));
});
