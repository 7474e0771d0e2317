import assert from "node:assert/strict";
import { test } from "node:test";
import type { Block } from "../../src/core/job/limits.ts";
import { Scope } from "../../src/manager/scope.ts";

function isShown(pattern: string, limit: Block["limit"], name: string): boolean {
  return new Scope([pattern]).hasBlock({ limit, name, used: 1, max: 1, opensAt: null });
}

test("Scope shows blocks of the caller's jobs, whatever else their names match", () => {
  assert.ok(isShown("shop-*", "rate", "shop-mail"));
  assert.ok(isShown("shop mail", "node", "shop mail"));
  // A queue of one of the jobs, by its arguments.
  assert.ok(isShown("shop-mail", "concurrency", 'shop-mail account="a"'));
  assert.ok(isShown("shop mail", "concurrency", 'shop%20mail account="a"'));
  assert.ok(!isShown("*shop*", "concurrency", 'mail account="shop"'));
  assert.ok(!isShown("mail *", "concurrency", 'mail account="shop"'));
  assert.ok(!isShown("shop-*", "pool", "shop-pool"));
});
