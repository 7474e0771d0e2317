import { checkJobInput, type JobInput, uncallable } from "../../core/job/define.ts";
import { quoteValue } from "../../core/text/quote_value.ts";
import { JobError } from "../../core/errors.ts";

/** One job of a module. */
export interface ModuleEntry {
  readonly kind: string;
  readonly input: JobInput;
}

/** Most jobs of one module. */
const ENTRIES_MAX = 1_000;

/**
 * The jobs that a module's default export defines: a function, a definition object, or an array of
 * definition objects, each with a `kind`.
 *
 * @param fileKind the kind of a function and of an object without `kind`: the file's name
 * @throws JobError `invalid_argument` for anything else
 */
export function readEntries(exported: unknown, fileKind: string): readonly ModuleEntry[] {
  if (!Array.isArray(exported)) return [entryOf(exported, fileKind)];
  if (exported.length === 0 || exported.length > ENTRIES_MAX) {
    throw new JobError(
      "invalid_argument",
      `Cannot use the default export: an array of ${exported.length}, not of 1 to ${ENTRIES_MAX} jobs`,
    );
  }
  const entries = exported.map((item: unknown, index) => {
    const isNamed = typeof item === "object" && item !== null && "kind" in item;
    if (isNamed) return entryOf(item, fileKind);
    throw new JobError(
      "invalid_argument",
      `Cannot use element ${index} of the default export: ${
        quoteValue(item)
      } is not a job with a "kind"`,
      { hint: 'Write each as { kind: "name", run: … }' },
    );
  });
  const kinds = entries.map((entry) => entry.kind);
  const twice = kinds.find((kind, index) => kinds.indexOf(kind) !== index);
  if (twice === undefined) return entries;
  throw new JobError(
    "invalid_argument",
    `Cannot use the default export: the kind "${twice}" occurs twice`,
  );
}

function entryOf(item: unknown, fileKind: string): ModuleEntry {
  if (typeof item === "function") {
    const found = uncallable(item);
    if (found !== null) {
      throw new JobError("invalid_argument", `Cannot use the default export: it is ${found}`, {
        hint: "Export a plain function, async or not, that uses it",
      });
    }
    return { kind: fileKind, input: { run: item as JobInput["run"] } };
  }
  if (item === undefined) {
    throw new JobError("invalid_argument", "Cannot use the module: it has no default export", {
      hint:
        'Begin the job with "export default function"; begin the name of a file without jobs with "_"',
    });
  }
  if (typeof item !== "object" || item === null) {
    throw new JobError(
      "invalid_argument",
      `Cannot use the default export: ${
        quoteValue(item)
      } is neither a function nor a job definition`,
      { hint: "Export a function, or an object such as { run: (x: number) => x + 1 }" },
    );
  }
  checkJobInput(item);
  return { kind: item.kind ?? fileKind, input: item };
}
