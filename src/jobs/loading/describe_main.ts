import { encodeError, encodeJson } from "../../core/arguments/encode.ts";
import { JobError } from "../../core/errors.ts";
import { HANDLERS, handlersThat, type JobDefinition } from "../../core/job/job.ts";
import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";
import { SecretMask } from "../../core/text/secret_mask.ts";
import { killFamily, MARKER_VARIABLE } from "../../platform/process/descendants.ts";
import { adoptOrphans, signalAtParentDeath } from "../../platform/process/process_control.ts";
import { takeSetup, unreadable } from "../../platform/process/process_setup.ts";
import { explainBrokenModule } from "./broken_module.ts";
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
  /** Variables in addition to the process's. */
  readonly env: Readonly<Record<string, string>>;
  /** Secret values among them, which no message may show. */
  readonly secrets: readonly string[];
  /** Null for the directory that the process was started in. */
  readonly cwd: string | null;
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
  /** The file at fault, if it is not the module but one of its imports. */
  readonly file?: string;
  /** The place where the error was thrown, if that is in the file. */
  readonly line?: number;
  readonly column?: number;
}

/** A message of the describer: "ready" once at its start, then one for each request. */
export type DescribeAnswer =
  | { readonly type: "ready" }
  | { readonly type: "jobs"; readonly path: string; readonly jobs: readonly JobDescriptor[] }
  | { readonly type: "failed"; readonly path: string; readonly error: DescribeError };

/**
 * The hidden subcommand that imports job modules and reports their definitions over IPC, one module
 * at a time, until the channel closes. Output of modules cannot mix with these messages.
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
  adoptOrphans();
  const problem = takeSetup();
  // Also ends a process that spins or was stopped. A change of user would cancel it.
  signalAtParentDeath("SIGKILL");
  const surroundings = new CurrentSurroundings();
  process.on("message", (message) => {
    const request = JSON.parse(String(message)) as DescribeRequest;
    if (problem !== null) {
      return answer({ type: "failed", path: request.path, error: { message: problem } });
    }
    surroundings.take(request);
    void describeModule(request).then(answer);
  });
  // A module may have left timers and sockets behind.
  process.on("disconnect", end);
  answer({ type: "ready" });
  return new Promise(() => {});
}

// The daemon has ended without notice: end everything that a module started.
function end(): never {
  const marker = process.env[MARKER_VARIABLE] ?? "";
  killFamily({ marker, sessions: new Set([process.pid]) }, process.pid);
  process.exit(0);
}

/** Variables and directory of the module that is being described. */
class CurrentSurroundings {
  readonly #cwd = process.cwd();
  #changed: Readonly<Record<string, string | undefined>> = {};

  take({ env, cwd }: DescribeRequest): void {
    for (const [name, value] of Object.entries(this.#changed)) setVariable(name, value);
    this.#changed = Object.fromEntries(Object.keys(env).map((name) => [name, process.env[name]]));
    for (const [name, value] of Object.entries(env)) setVariable(name, value);
    try {
      process.chdir(cwd ?? this.#cwd);
    } catch {
      // An attempt reports the problem, and the file may exist by then.
    }
  }
}

function setVariable(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

async function describeModule(request: DescribeRequest): Promise<DescribeAnswer> {
  const { path } = request;
  const denied = unreadable(path);
  if (denied !== null) {
    const message = denied.message.replace(`Cannot load ${path}: `, "");
    return { type: "failed", path, error: { message, hint: denied.hint } };
  }
  try {
    const exported = await importDefault(path, request.version);
    return { type: "jobs", path, jobs: readEntries(exported, request.fileKind).map(descriptorOf) };
  } catch (thrown) {
    return { type: "failed", path, error: describeThrown(thrown, request) };
  }
}

function descriptorOf({ kind, input }: ModuleEntry): JobDescriptor {
  const functions: ReadonlySet<string> = new Set(["run", ...HANDLERS]);
  const plain: PlainInput = Object.fromEntries(
    Object.entries(input).filter(([name]) => !functions.has(name)),
  );
  // Checked here, where the job at fault is known.
  encodeJson(plain, { bytesMax: PAYLOAD_BYTES_MAX, what: `the definition of job "${kind}"` });
  return { kind, input: plain, hasHandler: handlersThat((name) => input[name] !== undefined) };
}

function describeThrown(thrown: unknown, { path, secrets }: DescribeRequest): DescribeError {
  if (thrown instanceof JobError) return { message: thrown.message, hint: thrown.hint };
  const known = explainMissingModule(thrown) ?? explainBrokenModule(thrown);
  if (known !== null) return known;
  const { name, message, stack } = encodeError(thrown, new SecretMask(secrets));
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
