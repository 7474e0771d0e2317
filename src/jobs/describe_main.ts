import { encodeError, encodeJson } from "../core/encode.ts";
import { JobError } from "../core/errors.ts";
import { type JobDefinition, PAYLOAD_BYTES_MAX } from "../core/job.ts";
import { handlersOf, hasHandlerOf } from "./function_job.ts";
import { importDefault } from "./import_job.ts";
import { explainMissingModule } from "./missing_module.ts";
import { type ModuleEntry, readEntries } from "./module_entries.ts";
import type { PlainInput } from "./resolve_input.ts";

/** Asks for one module. */
export interface DescribeRequest {
  readonly path: string;
  /** The kind of a job that names none: the file's. */
  readonly fileKind: string;
  readonly version: string;
}

/** A job as its module defines it. */
export interface JobDescriptor {
  readonly kind: string;
  readonly input: PlainInput;
  readonly hasHandler: JobDefinition["hasHandler"];
}

/** Why a module cannot be used. */
export interface DescribeError {
  readonly message: string;
  readonly hint?: string;
  /** The file that is to blame, when it is not the module but one that it imports. */
  readonly file?: string;
  /** Where the error was thrown, when that is in the file. */
  readonly line?: number;
  readonly column?: number;
}

/** What the describer tells. "ready" comes once at its start, then one answer for each request. */
export type DescribeAnswer =
  | { readonly type: "ready" }
  | { readonly type: "jobs"; readonly path: string; readonly jobs: readonly JobDescriptor[] }
  | { readonly type: "failed"; readonly path: string; readonly error: DescribeError };

/**
 * The hidden subcommand that imports job modules and tells over IPC what they define, one at a time, until the channel
 * closes. What modules print goes nowhere near the answers.
 */
export function describeMain(): Promise<void> {
  // Taken before any module can replace them.
  const send = process.send?.bind(process);
  if (send === undefined) {
    throw new JobError("invalid_argument", "Cannot describe modules: no IPC channel", {
      hint: "The daemon starts this subcommand; it is not for the command line",
    });
  }
  const answer = (message: DescribeAnswer) => {
    send(encodeJson(message, { bytesMax: 4 * PAYLOAD_BYTES_MAX, what: "the description" }));
  };
  process.on("message", (message) => {
    const request = JSON.parse(String(message)) as DescribeRequest;
    void describeModule(request).then(answer);
  });
  // A module may have left timers and sockets behind.
  process.on("disconnect", () => process.exit(0));
  answer({ type: "ready" });
  return new Promise(() => {});
}

async function describeModule(request: DescribeRequest): Promise<DescribeAnswer> {
  const { path } = request;
  try {
    const exported = await importDefault(path, request.version);
    return { type: "jobs", path, jobs: readEntries(exported, request.fileKind).map(descriptorOf) };
  } catch (thrown) {
    return { type: "failed", path, error: describeThrown(thrown, path) };
  }
}

function descriptorOf({ kind, input }: ModuleEntry): JobDescriptor {
  const {
    run: _run,
    onComplete: _a,
    onTerminate: _b,
    retryDelay: _c,
    onStateChange: _d,
    ...plain
  } = input;
  // Checked here, where it can be told which job it is.
  encodeJson(plain, { bytesMax: PAYLOAD_BYTES_MAX, what: `the definition of job "${kind}"` });
  return { kind, input: plain, hasHandler: hasHandlerOf(handlersOf(input)) };
}

function describeThrown(thrown: unknown, path: string): DescribeError {
  if (thrown instanceof JobError) return { message: thrown.message, hint: thrown.hint };
  const missing = explainMissingModule(thrown);
  if (missing !== null) return missing;
  const { name, message, stack } = encodeError(thrown);
  const place = placeIn(stack ?? "", path);
  return { message: `Loading it throws ${name}: ${message}`, ...place };
}

/** The first place in a stack that is in the module. */
function placeIn(stack: string, path: string): { line?: number; column?: number } {
  for (const line of stack.split("\n")) {
    const at = line.indexOf(path);
    const match = at < 0 ? null : /^(?:\?v=\w+)?:(\d+):(\d+)/.exec(line.slice(at + path.length));
    if (match !== null) return { line: Number(match[1]), column: Number(match[2]) };
  }
  return {};
}
