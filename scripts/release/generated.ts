// Files for users that are made from the tables of the program: man pages and completions.
import { shellScript } from "../../src/cli/completion/shell_script.ts";
import { configPage } from "./manual/config_page.ts";
import { verbPages } from "./manual/verb_pages.ts";

/** Names that the shells' folders want. */
const COMPLETIONS = {
  bash: "jobctl.bash",
  zsh: "_jobctl",
  fish: "jobctl.fish",
  nushell: "jobctl.nu",
  powershell: "jobctl.ps1",
} as const;

/**
 * The text of each file by its path: `man/jobctl.1`, `completions/_jobctl`.
 *
 * @param options.atMs time of the release, in epoch milliseconds
 */
export function generatedFiles(
  { version, atMs }: { readonly version: string; readonly atMs: number },
): Map<string, string> {
  const edition = { version, date: new Date(atMs).toISOString().slice(0, 10) };
  const pages = [...verbPages(edition), ["jobctl.toml.5", configPage(edition)] as const];
  const scripts = Object.entries(COMPLETIONS).map(([shell, name]) =>
    [`completions/${name}`, shellScript(shell)] as const
  );
  return new Map([...scripts, ...pages.map(([name, text]) => [`man/${name}`, text] as const)]);
}
