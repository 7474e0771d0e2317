import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { LoadedConfig } from "../../config/config.ts";
import { loadConfig } from "../../config/load_config.ts";
import { ConfigError, formatProblem } from "../../config/values/problems.ts";
import type { ConfigProblem } from "../../core/config_problem.ts";
import { errorCode } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** The configuration, or why it is missing. */
export interface FoundConfig {
  /** Null if it cannot be used. */
  readonly loaded: LoadedConfig | null;
  readonly findings: readonly Finding[];
}

const SHOWN_MAX = 5;
/** Commands that may form a whole hint. */
const COMMAND = /^(?:sudo )?(?:chmod|chown) \S/;
/** A file that this user cannot read. */
const FORBIDDEN = /\bEACCES\b|permission denied/i;

/** Load the configuration like a start does. @param file null for the built-in one */
export async function findConfig(
  file: string | null,
  options: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly cwd: string;
  },
): Promise<FoundConfig> {
  const { env, cwd } = options;
  const { ok, error, unchecked } = findingsOf("config");
  const problem = file === null ? null : fileProblem(resolve(cwd, file));
  if (problem !== null) {
    const at = shellWord(file!);
    const isForbidden = problem === "permission denied";
    const finding = isForbidden ? unchecked(`"${file}": ${problem}`, "sudo jobctl doctor") : error(
      `cannot read "${file}": ${problem}`,
      `jobctl init, or jobctl doctor --config FILE in place of ${at}`,
    );
    return { loaded: null, findings: [finding] };
  }
  const check = `jobctl check${file === null ? "" : ` --config ${shellWord(file)}`}`;
  let loaded: LoadedConfig;
  try {
    loaded = await loadConfig(file, { env, cwd });
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    const [first, ...others] = thrown.problems;
    const more = others.length === 0 ? "" : `, and ${others.length} more`;
    const text = `${first === undefined ? thrown.message : lineOf(first)}${more}`;
    const finding = FORBIDDEN.test(text)
      ? unchecked(text, "sudo jobctl doctor")
      : error(text, commandOf(first?.hint) ?? check);
    return { loaded: null, findings: [finding] };
  }
  const { problems, warnings } = loaded;
  const findings = [
    ...problems.map((each) => ({ each, make: error })),
    ...warnings.map((each) => ({ each, make: findingsOf("config").warning })),
  ];
  const shown = findings.slice(0, SHOWN_MAX).map(({ each, make }) =>
    make(lineOf(each), commandOf(each.hint) ?? check)
  );
  const left = findings.length - shown.length;
  if (left > 0) shown.push(findingsOf("config").warning(`${left} more problems`, check));
  const name = file === null ? "the built-in one" : `"${file}"`;
  return { loaded, findings: shown.length > 0 ? shown : [ok(`${name} is valid`)] };
}

/** Why a file cannot be a configuration: reading a pipe would wait for its writer. */
function fileProblem(path: string): string | null {
  // A pipe is read only if this process received it as a descriptor.
  if (/^\/(?:dev\/(?:stdin|fd\/\d+)|proc\/self\/fd\/\d+)$/.test(path)) return null;
  try {
    return statSync(path).isFile() ? null : "it is not a regular file";
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return "no such file";
    return code === "EACCES" || code === "EPERM"
      ? "permission denied"
      : code ?? "it cannot be read";
  }
}

function lineOf(problem: ConfigProblem): string {
  const { hint: _, ...rest } = problem;
  return formatProblem(rest).replaceAll(/\s*\n\s*/g, "; ");
}

function commandOf(hint: string | undefined): string | null {
  return hint !== undefined && COMMAND.test(hint) ? hint : null;
}
