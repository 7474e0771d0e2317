import assert from "node:assert/strict";
import { isJobError } from "../../src/core/errors.ts";

/**
 * Assert that a request is refused as invalid, with the field at fault as the path and in the
 * message.
 */
export function refuses(path: string, act: () => unknown): void {
  assert.throws(act, (error) => {
    assert.ok(isJobError(error, "invalid_argument"));
    assert.equal(error.path, path);
    assert.ok(error.message.includes(path));
    return true;
  });
}
