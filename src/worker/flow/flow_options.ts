import { JobError } from "../../core/errors.ts";
import type {
  CallAllOptions,
  StepOptions,
  StepRetry,
  WaitOptions,
} from "../../core/flow/flow_context.ts";
import {
  checkOptions,
  DURATION,
  FUNCTION,
  isFlag,
  isObject,
  isWhole,
  type Keys,
  type KeysOf,
  type KeyValue,
  NUMBER,
} from "../../core/text/object_keys.ts";
import { quoteValue } from "../../core/text/quote_value.ts";

const KEY: KeyValue = [
  "a text or a number",
  (value) => typeof value === "string" || typeof value === "number",
];

const RETRY: KeysOf<StepRetry> = { max: NUMBER, initial: DURATION, cap: DURATION };

const OPTIONS = {
  step: {
    key: KEY,
    retry: [
      "a number of retries or an object",
      (value) => typeof value === "number" || isRetry(value),
    ],
    timeout: DURATION,
    undo: FUNCTION,
  } satisfies KeysOf<StepOptions>,
  waitFor: { key: KEY, timeout: DURATION } satisfies KeysOf<WaitOptions>,
  callAll: {
    key: KEY,
    onFailure: ["text", (value) => typeof value === "string"],
    failuresMax: ["a number from 0", isWhole(0)],
    inFlight: ["a number from 1", isWhole(1)],
    results: ["true or false", isFlag],
  } satisfies KeysOf<CallAllOptions>,
  each: { key: FUNCTION, max: NUMBER },
} as const satisfies Readonly<Record<string, Keys>>;

/**
 * The options of a call of a context, which has no others.
 *
 * @param name of the step or wait
 * @throws JobError `invalid_argument`
 */
export function readFlowOptions<T extends object>(
  method: keyof typeof OPTIONS,
  name: unknown,
  given: T | undefined,
): T {
  const failure = `Cannot use the options of ctx.${method} ${quoteValue(name)}`;
  if (method !== "each" || isObject(given) && "key" in given) {
    return checkOptions(given, OPTIONS[method], { failure });
  }
  throw new JobError("invalid_argument", `${failure}: "key" is missing`, {
    path: "key",
    hint: "Write { key: (item) => … }: by its key an item is known again",
  });
}

function isRetry(value: unknown): boolean {
  if (!isObject(value)) return false;
  checkOptions(value, RETRY, { failure: "Cannot use its retry", prefix: "retry." });
  return true;
}
