import type { JobOptions } from "../../core/job/gen/job_options.ts";
import { convertArguments } from "../../core/arguments/convert.ts";
import {
  assertJobObject,
  checkJobInput,
  checkKind,
  handlersOf,
  type JobInput,
} from "../../core/job/define.ts";
import { JobError } from "../../core/errors.ts";
import { checkLimits } from "../../core/job/limits.ts";
import { handlersThat, type JobDefinition } from "../../core/job/job.ts";
import type { ScheduleDefaults } from "../../core/time/schedule.ts";
import type { Signature } from "../../core/arguments/signature.ts";
import { parseParams, UNTYPED_SIGNATURE } from "../types/read_signature.ts";
import { resolveOptions, resolveSchedules } from "./resolve_input.ts";

/**
 * The job of a function in this process, as the library registers it.
 *
 * Its arguments convert by `params`; without it their types are unknown and they pass unchanged.
 * Its results have the type in `returns`, or the types of JSON.
 *
 * @param inherited values that the definition omits, and the present, epoch ms
 * @throws JobError `invalid_argument` for a definition without a kind, with an unknown key, or with
 * an invalid value
 */
export function resolveFunctionJob(
  input: JobInput,
  inherited: {
    readonly options: JobOptions;
    readonly schedules: ScheduleDefaults;
    readonly timezone: string;
    readonly now: number;
    readonly returns?: string | undefined;
  },
): JobDefinition {
  assertJobObject(input);
  const { kind } = input;
  // Before the check of the rest: a function without a name has the kind "".
  if (kind === undefined || kind === "") {
    throw new JobError("invalid_argument", "Cannot register a job: it has no kind", {
      hint: 'Give it one: { kind: "sum", run: … }, or name the function',
      path: "kind",
    });
  }
  checkJobInput(input);
  checkKind(kind);
  for (const key of ["limits", "nice"] as const) {
    if (input[key] === undefined) continue;
    throw new JobError(
      "invalid_argument",
      `Cannot register job "${kind}": "${key}" is for worker processes, and it runs in this one`,
      { path: key, hint: "Put it into a module, and run that with jobctl serve" },
    );
  }
  if (input.isolation === "process") {
    throw new JobError(
      "invalid_argument",
      `Cannot register job "${kind}" with isolation "process": a function runs where it was made`,
      { path: "isolation", hint: "Put it into a module, and run that with jobctl serve" },
    );
  }
  const signature = signatureOf(input.params, inherited.returns);
  const schedules = resolveSchedules(input, {
    kind,
    timezone: inherited.timezone,
    defaults: inherited.schedules,
    now: inherited.now,
  });
  const args = input.args ?? [];
  const options = resolveOptions(input, inherited.options);
  checkLimits({ kind, signature, limits: options, unique: options.unique });
  if (schedules.length > 0 || input.args !== undefined) convertArguments(signature, args, { kind });
  const handlers = handlersOf(input);
  return {
    kind,
    description: input.description ?? "",
    source: { type: "function", run: input.run, handlers },
    signature,
    options,
    schedules: schedules.map((spec) => ({ spec, arguments: args })),
    timezone: input.timezone ?? inherited.timezone,
    hasHandler: handlersThat((name) => handlers[name] !== undefined),
    registeredAt: inherited.now,
  };
}

function signatureOf(params: string | undefined, returns: string | undefined): Signature {
  if (params !== undefined) {
    return { ...parseParams(params, returns), appliesDefaults: true as const };
  }
  if (returns === undefined) return UNTYPED_SIGNATURE;
  return { ...parseParams("", returns), parameters: [], isTyped: false };
}
