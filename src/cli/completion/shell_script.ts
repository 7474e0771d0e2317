import { didYouMean } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { usageError } from "../parsing/args.ts";
import type { Verb, VerbGroup } from "../verb.ts";
import { bashScript } from "./bash_script.ts";
import { fishScript } from "./fish_script.ts";
import { type LineTable, lineTable } from "./line_table.ts";
import { nushellScript } from "./nushell_script.ts";
import { powershellScript } from "./powershell_script.ts";
import { zshScript } from "./zsh_script.ts";

const SCRIPTS: Readonly<Record<string, (table: LineTable) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
  nushell: nushellScript,
  powershell: powershellScript,
};

/** The shells that have a completion. */
export const SHELLS: readonly string[] = Object.keys(SCRIPTS);

/** The completion of one of {@link SHELLS}. @throws JobError `invalid_argument` */
export function shellScript(
  shell: string,
  verbs: readonly (Verb | VerbGroup)[],
): string {
  if (Object.hasOwn(SCRIPTS, shell)) return SCRIPTS[shell]!(lineTable(verbs));
  throw usageError(
    `Cannot write the completion of "${makeVisible(shell)}": not one of ${SHELLS.join(", ")}`,
    didYouMean(shell, SHELLS) ?? "Name one of these shells",
  );
}
