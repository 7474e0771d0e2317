import { didYouMean } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { usageError } from "../parsing/args.ts";
import type { Verb, VerbGroup } from "../verb.ts";
import { bashScript } from "./bash_script.ts";
import { fishScript } from "./fish_script.ts";
import { type LineTable, lineTable } from "./line_table.ts";
import { zshScript } from "./zsh_script.ts";

const SCRIPTS: Readonly<Record<string, (table: LineTable) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The completion of a shell: `bash`, `zsh` or `fish`. @throws JobError `invalid_argument` */
export function shellScript(
  shell: string,
  verbs: readonly (Verb | VerbGroup)[],
): string {
  if (Object.hasOwn(SCRIPTS, shell)) return SCRIPTS[shell]!(lineTable(verbs));
  const known = Object.keys(SCRIPTS);
  throw usageError(
    `Cannot write the completion of "${makeVisible(shell)}": not one of ${known.join(", ")}`,
    didYouMean(shell, known) ?? "Name one of these shells",
  );
}
