import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import type { MethodName } from "../../src/rpc/backend.ts";
import { type CallName, type Role, roleOf, ROLES } from "../../src/rpc/auth/auth.ts";
import { JobService } from "../../src/rpc/gen/job_pb.ts";
import { METHOD_RULES } from "../../src/rpc/gen/method_rules.ts";
import { ServerReflection } from "../../src/rpc/gen/reflection_v1_pb.ts";

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
}

/**
 * The methods of the contract in its order, each with the role that it and some of its fields ask
 * for.
 */
const METHODS = [...JobService.methods, ...ServerReflection.methods].map(({ name, localName }) => ({
  name,
  role: roleOf(localName as CallName)!,
  fields: METHOD_RULES[localName as MethodName]?.fields ?? {},
}));

/** What the columns of the roles say for a method that asks for `role`. */
function cellsOf(role: Role): readonly string[] {
  return ROLES.map((each) => ROLES.indexOf(each) >= ROLES.indexOf(role) ? "yes" : "no");
}

/** Rows of the tables of a page whose first cell names code. */
function rowsOf(page: string): readonly (readonly string[])[] {
  return [...page.matchAll(/^\| (`.*) \|$/gm)].map(([, row]) => row!.split(" | "));
}

test("docs/security.md says of every method of the contract which role may call it", () => {
  const rows = rowsOf(read("docs/security.md"));
  const wanted = METHODS.flatMap(({ name, role, fields }) => [
    [`\`${name}\``, ...cellsOf(role)],
    ...Object.entries(fields).map(([field, more]) => [
      `\`${name}\` with \`${field}\``,
      ...cellsOf(more),
    ]),
  ]);
  assert.deepEqual(rows.map((row) => row.slice(0, ROLES.length + 1)), wanted);
  for (const row of rows) assert.ok((row.at(-1) ?? "").length > 10, `${row[0]} says nothing`);
});

test("docs/api.md has every method of the contract once, with its role", () => {
  const found = rowsOf(read("docs/api.md")).flatMap(([names, , roles, more]) => {
    if (more !== undefined || !ROLES.some((role) => roles?.startsWith(role))) return [];
    const each = roles!.split(", ");
    return names!.split(", ").map((name, index) => [name, each[index] ?? each[0]!]);
  });
  const wanted = METHODS.map(({ name, role }) => [`\`${name}\``, role]);
  assert.deepEqual(found.toSorted(), wanted.toSorted());
});
