import { quoteValue } from "../../core/text/quote_value.ts";
import { findJsonFault, memberIndex } from "../../core/arguments/json_fault.ts";
import { isDeeperThan, parseJson, sizeProblem } from "../../core/arguments/json_text.ts";
import { repeatedMember } from "../../core/arguments/repeated_member.ts";
import { isJobError, type JobError } from "../../core/errors.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { MessageReader } from "../../rpc/model/read_json.ts";
import type { RequestOf } from "../io/wire.ts";
import { type Line, LINE_BYTES_MAX } from "./batch_file.ts";

/** Deepest nesting of a line, far beyond any arguments'. */
const LEVELS_MAX = 1_000;
const MESSAGE = "job.v1.ScheduleJobRequest";
/** Begins the messages of the reader, and is left out. */
const FAILURE = "-";
const READER = new MessageReader(FAILURE);
/** Forbidden fields of a line, with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  cron: "Make recurring schedules with jobctl schedule KIND --cron",
  dry_run: "Give --dry-run",
};
const DECODER = new TextDecoder("utf-8", { fatal: true });

/** One instance to queue. */
export type BatchRequest = RequestOf<"scheduleJob">;

/** A line of a file that cannot be queued. */
export interface LineProblem {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** A line as a request; null for an empty line. */
export type ReadLine =
  | { readonly request: BatchRequest; readonly text: string }
  | { readonly problem: LineProblem }
  | null;

/** Read one line. @param kind the job of lines without a kind */
export function readLine({ number: line, bytes }: Line, kind: string | undefined): ReadLine {
  const fail = (message: string, hint?: string, index = 0): ReadLine => ({
    problem: { line, column: index + 1, message, hint },
  });
  if (bytes === null) {
    return fail(
      `the line is longer than ${LINE_BYTES_MAX} bytes`,
      "Keep large data in a file or a database and pass its name",
    );
  }
  let text: string;
  try {
    text = DECODER.decode(bytes);
  } catch {
    return fail("the line is not valid UTF-8", "Write the file as UTF-8");
  }
  if (text.trim() === "") return null;
  const fault = findJsonFault(text);
  if (fault !== null) {
    const hint = 'Write one JSON object a line: {"kind": "report", "arguments": ["2026-01-31"]}';
    return fail(`not JSON: ${fault.message}`, hint, fault.index);
  }
  const size = isDeeperThan(text, LEVELS_MAX)
    ? `it nests deeper than ${LEVELS_MAX} levels`
    : sizeProblem(text);
  if (size !== null) return fail(size, "Keep large data in a file and pass its name");
  return readObject(parseJson(text), text, { line, kind });
}

function readObject(
  value: unknown,
  text: string,
  { line, kind }: { readonly line: number; readonly kind: string | undefined },
): ReadLine {
  const fail = (path: string, message: string, hint?: string): ReadLine => ({
    problem: { line, column: columnOf(text, path), message, hint },
  });
  if (!isObject(value)) {
    const hint = 'Write an object: {"kind": "report", "arguments": ["2026-01-31"]}';
    return fail("", `found ${quoteValue(value)}, wanted an object`, hint);
  }
  const twice = repeatedMember(text, value);
  if (twice !== null) return fail(twice, `it has ${quoteValue(twice)} twice`, "Give it once");
  const refused = Object.keys(REFUSED).find((name) => Object.hasOwn(value, name));
  if (refused !== undefined) return fail(refused, `a line has no "${refused}"`, REFUSED[refused]);
  const own = value.kind ?? kind;
  if (own === undefined) {
    return fail("", 'it has no "kind"', 'Add "kind", or name the job: jobctl schedule KIND --from');
  }
  try {
    const request = READER.message(MESSAGE, { ...value, kind: own }) as BatchRequest;
    return { request, text };
  } catch (error) {
    if (!isJobError(error)) throw error;
    return fail(error.path ?? "", error.message.slice(FAILURE.length + 2), error.hint);
  }
}

/** The column of the member at a path, from 1; the line's if it is missing. */
function columnOf(text: string, path: string): number {
  const name = nameOf(path);
  const index = name === "" ? -1 : memberIndex(text, name);
  return index < 0 ? /^\s*/.exec(text)![0].length + 1 : index + 1;
}

function nameOf(path: string): string {
  return /^[^.[]*/.exec(path)![0];
}

/** Index of the request of a batch that the daemon's error refers to; null without one. */
export function indexOfError({ path }: JobError): number | null {
  const found = /^requests\[(\d+)\]/.exec(path ?? "");
  return found === null ? null : Number(found[1]);
}

/** An error of the daemon about one request of a batch, as a problem of its line. */
export function problemOfError(
  { message, hint, path = "" }: JobError,
  { line, text }: { readonly line: number; readonly text: string },
): LineProblem {
  const field = path.replace(/^requests\[\d+\]\.?/, "").replace(/_json$/, "");
  const plain = message.replace(/ \(requests\[\d+\]\)$/, "").replaceAll(/requests\[\d+\]\./g, "");
  // For a wrong argument, the path is the parameter's.
  const isMember = memberIndex(text, nameOf(field)) >= 0;
  return { line, column: columnOf(text, isMember ? field : "arguments"), message: plain, hint };
}
