import assert from "node:assert/strict";
import { test } from "node:test";
import { runOptionsModule } from "../../../scripts/generate/option_types.ts";
import { NAMED_OPTIONS, namedOptions, type RunOption } from "../../../src/core/job/run_options.ts";
import { checkValues, inMilliseconds } from "../../../src/core/job/schedule_options.ts";

const TABLE: Readonly<Record<string, RunOption>> = {
  graceTime: {
    rules: { form: "duration", of: "both", isInRecurrence: true, canClear: true },
    help: "How long it may take to end",
  },
};

test("an option of one entry has a twin in milliseconds and a field", () => {
  const [{ key, member, field }] = namedOptions(TABLE) as [(typeof NAMED_OPTIONS)[number]];
  assert.deepEqual(
    { key, member, field },
    { key: "graceTimeMs", member: "graceTimeMs", field: "recurrence.grace_time_ms" },
  );
});

test("an option of one entry is in the types", () => {
  const text = runOptionsModule(TABLE);
  assert.equal(text.match(/ {2}\/\*\* How long it may take to end\. \*\//g)?.length, 2);
  assert.equal(text.match(/\n {2}readonly graceTime\?: DurationInput;\n/g)?.length, 2);
  assert.equal(text.match(/\n {2}readonly graceTimeMs\?: number;\n/g)?.length, 2);
  assert.match(text, /Clearable =\n {2}\| "graceTime"\n {2}\| "graceTimeMs";/);
});

test("checkValues() refuses a number out of its range, and passes what is absent or removed", () => {
  for (const { name, key, form, range: [min, max] } of NAMED_OPTIONS) {
    if (form !== "integer" && form !== "duration" && form !== "instant") continue;
    for (const value of [min, max, undefined, null]) checkValues({ [key]: value });
    for (const value of [min - 1, max * 2, min + 0.5, NaN, "1"]) {
      assert.throws(() => checkValues({ [key]: value }), { options: [name] });
    }
  }
});

test("checkValues() refuses a word that is no choice", () => {
  checkValues({ overlap: "skip", onConflict: "keep" });
  assert.throws(() => checkValues({ onConflict: "replaces" }), { options: ["onConflict"] });
});

test("inMilliseconds() reads every duration", () => {
  for (const { name, key, form } of NAMED_OPTIONS) {
    if (form === "duration") assert.deepEqual(inMilliseconds({ [name]: "2s" }), { [key]: 2_000 });
  }
});
