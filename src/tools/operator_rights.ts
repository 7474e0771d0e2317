import { argumentsOf, describeType } from "../core/arguments/describe.ts";
import type { CommandSpec, JobDefinition } from "../core/job/job.ts";

/** Programs that execute their arguments as a shell command or program. */
const SHELL_LIKE: ReadonlySet<string> = new Set(["eval", "parallel", "rsh", "ssh", "watch"]);
/** An option whose value is code: `sh -c`, `python3 -c`, `perl -e`, `bash -lc`. */
const CODE_OPTION = /^-[a-zA-Z]*[ce]$/;

/** One line about what an operator can do with a job. */
export function operatorRights({ signature, source }: JobDefinition): string {
  if (source.type === "external") return "may not run it: it runs elsewhere";
  const parts = argumentsOf(signature).map(({ name, shape, isRest, isOptional, defaultText }) => {
    const notes = [describeType(shape), ...(isRest || isOptional ? ["optional"] : [])];
    if (defaultText !== undefined) notes.splice(1, 1, `default ${defaultText}`);
    return `${isRest ? "..." : ""}${name} (${notes.join(", ")})`;
  });
  if (!signature.isTyped && parts.length === 0) parts.push("any arguments");
  const process = source.type === "command" ? source.command : sourceProcess(source);
  const user = process?.user == null ? "" : ` as ${process.user}`;
  if (parts.length === 0) return `may run it${user}, without arguments`;
  const dash = source.type === "command" && source.command.allowsDash
    ? '; they may begin with "-"'
    : "";
  return `may run it${user} with: ${parts.join(", ")}${dash}`;
}

function sourceProcess(source: JobDefinition["source"]) {
  return source.type === "module" ? source.process ?? null : null;
}

/** Why arguments let a caller run anything through a command; null if no such risk is known. */
export function commandRisk({ argv, parameters, hasRest, stdin }: CommandSpec): string | null {
  const count = parameters.length - (stdin !== null && "arg" in stdin ? 1 : 0);
  if (count === 0 && !hasRest) return null;
  const program = argv[0]!.split("/").at(-1)!;
  if (SHELL_LIKE.has(program)) {
    return `"${program}" runs its arguments as a shell command, so an operator can run anything`;
  }
  const last = argv.at(-1)!;
  if (argv.length > 1 && CODE_OPTION.test(last)) {
    return `its first argument is code for "${last}", so an operator can run anything`;
  }
  return null;
}
