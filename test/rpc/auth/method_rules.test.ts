import assert from "node:assert/strict";
import { test } from "node:test";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { isJobError, JobError } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { allow, createFixedAuthenticator, OWNER, ROLES } from "../../../src/rpc/auth/auth.ts";
import type { MethodName, StreamName, UnaryName } from "../../../src/rpc/backend.ts";
import { call, http, JobService } from "../../../src/rpc/gen/job_pb.ts";
import { METHOD_RULES, type MethodRule } from "../../../src/rpc/gen/method_rules.ts";
import { CallTracker } from "../../../src/rpc/guard/call_tracker.ts";
import { ThreadMemory } from "../../../src/rpc/guard/thread_memory.ts";
import { Calls } from "../../../src/rpc/server/call_policy.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

/** The option of a method in the words of the table. */
function optionOf(method: typeof JobService["methods"][number]): MethodRule {
  const { role, effect, caller, time, fields } = getOption(method, call);
  return {
    ...{ role, effect },
    ...(caller === "" ? {} : { caller }),
    ...(time === "" ? {} : { time }),
    ...(fields.length === 0
      ? {}
      : { fields: Object.fromEntries(fields.map(({ name, role }) => [name, role])) }),
  } as MethodRule;
}

test("every method of the contract has a rule, and the table has it", () => {
  const without = JobService.methods.filter((method) => !hasOption(method, call));
  assert.deepEqual(without.map(({ name }) => name), []);
  const rules = JobService.methods.map((method) => [method.localName, optionOf(method)]);
  assert.deepEqual(METHOD_RULES, Object.fromEntries(rules), "stale: npm run generate");
});

test("a rule has a role, and one above it for fields that the request has", () => {
  for (const { localName, input } of JobService.methods) {
    const { role, fields = {} } = METHOD_RULES[localName as MethodName]!;
    assert.ok(ROLES.includes(role), localName);
    for (const [name, needed] of Object.entries(fields)) {
      const kind = input.fields.find((field) => field.name === name)?.fieldKind;
      assert.equal(kind, "scalar", `${localName} ${name}`);
      assert.ok(ROLES.indexOf(needed) > ROLES.indexOf(role), `${localName} ${name}`);
    }
  }
});

test("over HTTP, GET calls exactly the methods that add and change nothing", () => {
  for (const method of JobService.methods.filter((one) => hasOption(one, http))) {
    const { effect } = METHOD_RULES[method.localName as MethodName]!;
    const isGet = getOption(method, http).pattern.case === "get";
    assert.equal(isGet, effect !== "add" && effect !== "change", method.name);
  }
});

/** Run a test while a method has no rule. */
async function withoutRuleOf(method: MethodName, body: () => Promise<void>): Promise<void> {
  const rules = METHOD_RULES as Partial<Record<MethodName, MethodRule>>;
  const rule = rules[method]!;
  delete rules[method];
  await body().finally(() => rules[method] = rule);
}

test("a call of a method without a rule is refused to everyone, and never reaches the backend", async () => {
  const clock = new SimClock();
  const calls = new Calls({
    backend: {
      complete: () => Promise.reject(new Error("called")),
      // deno-lint-ignore require-yield
      async *stream() {
        throw new Error("called");
      },
    },
    tracker: new CallTracker(clock, new ThreadMemory(clock)),
    logger: silentLogger,
    clock,
  });
  const isRefused = (error: unknown) => isJobError(error, "permission_denied");
  const { signal } = new AbortController();
  const context = { caller: OWNER, peer: "here", signal };
  const bytes = new Uint8Array(0);
  for (const method of ["getVersion", "lookupInstances", "scheduleJob", "pause"] as UnaryName[]) {
    await withoutRuleOf(method, async () => {
      assert.ok(allow(OWNER, method) instanceof JobError);
      const fixed = createFixedAuthenticator({ ...OWNER, role: "operator" })!;
      assert.ok(isRefused(fixed.check(method, undefined, "here")));
      await assert.rejects(calls.complete(method, bytes, context), isRefused);
    });
    assert.equal(allow(OWNER, method), OWNER);
  }
  for (const method of ["follow", "workOnStore"] as StreamName[]) {
    await withoutRuleOf(method, async () => {
      await assert.rejects(calls.stream(method, bytes, context).next(), isRefused);
    });
  }
});
