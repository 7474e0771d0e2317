import { JobError } from "../../core/errors.ts";
import { snakeCase } from "../../core/text/snake_case.ts";
import type { MethodName } from "../backend.ts";
import { METHOD_RULES } from "../gen/method_rules.ts";
import { decodeRequest } from "../messages/decode_request.ts";
import { tableOf } from "../model/message_table.ts";
import { METHOD_OF } from "../model/methods.ts";
import { type Caller, hasRole } from "./auth.ts";

/** The words of a refusal, by field. */
const WORDS: Readonly<Record<string, { readonly action: string; readonly hint: string }>> = {
  cron: {
    action: "make a recurring schedule",
    hint: "Put the schedule in the configuration, or use an admin token",
  },
  all: {
    action: "silence everything, or end that",
    hint: "Name a job, or use an admin token",
  },
};

/**
 * The refusal of a request that sets a field above its caller's role, given that the caller may
 * call the method; null if allowed. A dry run changes nothing and requires only the method's role.
 * Bytes that cannot be decoded are left to the handler.
 *
 * @param caller null for an unauthenticated caller
 */
export function fieldRefusal(
  method: MethodName,
  caller: Pick<Caller, "name" | "role"> | null,
  request: Uint8Array,
): JobError | null {
  const fields = METHOD_RULES[method]?.fields ?? {};
  for (const field in fields) {
    const needed = fields[field]!;
    if (caller !== null && hasRole(caller, needed)) continue;
    if (!isSet(METHOD_OF[method].input, field, request)) continue;
    const { name = "nobody", role = "none" } = caller ?? {};
    const { action, hint } = WORDS[field] ?? { action: `set ${field}`, hint: "Leave it out" };
    return new JobError(
      "permission_denied",
      `Cannot ${action} as "${name}": its role is ${role}, ${needed} is needed`,
      { path: field, hint },
    );
  }
  return null;
}

function isSet(type: string, name: string, request: Uint8Array): boolean {
  const field = tableOf(type).fields.find((one) => snakeCase(one.name) === name);
  if (field === undefined) return true;
  try {
    const values = decodeRequest(type, request);
    return Boolean(Reflect.get(values, field.name)) && Reflect.get(values, "dryRun") !== true;
  } catch {
    return false;
  }
}
