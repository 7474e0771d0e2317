import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { http, type HttpRule, JobService } from "../../src/rpc/gen/job_pb.ts";

const PROTO = readFileSync(new URL("../../src/rpc/job.proto", import.meta.url), "utf8");

function rulesOf(method: (typeof JobService)["methods"][number]): readonly HttpRule[] {
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings];
}

/** True if a path of field names leads to a field. */
function hasField(message: DescMessage | undefined, path: string): boolean {
  const [name, ...rest] = path.split(".");
  const field = message?.fields.find((one) => one.name === name);
  return field !== undefined && (rest.length === 0 || hasField(field.message, rest.join(".")));
}

test("the contract has a rule for HTTP for every method but the work on the store", () => {
  const without = JobService.methods.filter((method) => !hasOption(method, http));
  assert.deepEqual(without.map(({ name }) => name), ["WorkOnStore"]);
});

test("the rules for HTTP name fields that exist, and no two of them match the same requests", () => {
  const seen = new Map<string, string>();
  for (const method of JobService.methods.filter((one) => hasOption(one, http))) {
    for (const { pattern, body, when, set } of rulesOf(method)) {
      const { value: path = "" } = pattern;
      assert.match(path, /^\/api\/v1(?:\/(?:[a-z-]+|\{[a-z_.]+\}))+$/, method.name);
      for (const [, name] of path.matchAll(/\{([^}]*)\}/g)) {
        assert.ok(hasField(method.input, name!), `${method.name}: ${name}`);
      }
      if (set !== "") {
        assert.ok(hasField(method.input, set.split("=")[0]!), `${method.name}: ${set}`);
      }
      const hasBody = pattern.case !== "get" && pattern.case !== "delete";
      assert.equal(body, hasBody ? "*" : "", method.name);
      const key = `${pattern.case} ${path.replaceAll(/\{[^}]*\}/g, "*")} ${when}`;
      assert.equal(seen.get(key), undefined, `${method.name}: ${key}`);
      seen.set(key, method.name);
    }
  }
});

test("the contract keeps the names in JSON of all fields but the ids of instances", () => {
  const named = [...PROTO.matchAll(/^ .* (\w+) = \d+ \[json_name = "(\w+)"\]/gm)];
  assert.deepEqual(
    [...new Set(named.map(([, name, json]) => `${name} ${json}`))],
    ["uuid id", "uuids ids", "uuid instanceId", "last_uuid lastInstanceId"],
  );
});
