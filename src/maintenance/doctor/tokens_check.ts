import { isLoopback } from "../../core/address.ts";
import { toJobError } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { roughDuration } from "../../core/time/duration.ts";
import type { Config } from "../../config/config.ts";
import { readTokensFile, type TokenEntry } from "../../platform/files/tokens_file.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** A token, without its hash. */
export interface KnownToken extends Pick<TokenEntry, "name" | "role" | "expiresAt"> {
  /** True if `jobctl token` manages it; false for a configured one. */
  readonly isInFile: boolean;
}

/** The tokens that callers may use. */
export type TokensFacts = ReturnType<typeof readTokens>;

const SOON_MS = 14 * 86_400_000;
const SHOWN_MAX = 10;

/** Read the tokens of a configuration. @param options.uid the user of the daemon */
export function readTokens(
  { server }: Config,
  { nowMs, uid }: { readonly nowMs: number; readonly uid: number },
) {
  const { auth, host } = server;
  let inFile: readonly TokenEntry[] = [];
  let problem: { message: string; hint: string | null } | null = null;
  let isForbidden = false;
  try {
    inFile = readTokensFile(auth.tokensFile);
  } catch (error) {
    const { message, hint } = toJobError(error, "Cannot read the tokens");
    const own = process.getuid?.() ?? 0;
    // Other users need not trust a file of the daemon's user.
    isForbidden = (own !== 0 && own !== uid) || /\bEACCES\b/.test(message);
    problem = { message, hint: hint ?? null };
  }
  return {
    /** Of the configuration and of the tokens file. */
    tokens: [
      ...auth.tokens.map((token) => ({ ...token, isInFile: false })),
      ...inFile.map((token) => ({ ...token, isInFile: true })),
    ],
    /** Why the tokens file cannot be used; null if it can. */
    problem,
    /** True if the problem is only that this user may not read it. */
    isForbidden,
    mode: auth.mode,
    /** True if other machines can connect. */
    isBeyondLoopback: !isLoopback(host),
    /** True if there is a permanent token for the administrator. */
    hasTokenFile: auth.tokenFile !== null,
    tokensFile: auth.tokensFile,
    nowMs,
  };
}

/** Judge the tokens. */
export function checkTokens(facts: TokensFacts): Finding[] {
  const { tokens, problem, isForbidden, mode, isBeyondLoopback, hasTokenFile, nowMs } = facts;
  const { ok, note, warning, error, unchecked } = findingsOf("tokens");
  const findings: Finding[] = [];
  if (problem !== null) {
    findings.push(
      isForbidden
        ? unchecked(problem.message, "sudo jobctl doctor")
        : error(problem.message, commandOf(problem.hint)),
    );
  }
  const file = shellWord(facts.tokensFile);
  const dated = tokens.filter(({ expiresAt }) => expiresAt !== null && expiresAt - nowMs < SOON_MS);
  for (const { name, role, expiresAt, isInFile } of dated.slice(0, SHOWN_MAX)) {
    const revoke = isInFile
      ? `jobctl token revoke ${name} --yes --tokens-file ${file}`
      : `remove "${name}" from [server.auth.tokens]`;
    if (expiresAt! <= nowMs) {
      findings.push(note(`"${name}" expired ${roughDuration(nowMs - expiresAt!)} ago`, revoke));
      continue;
    }
    const text = `"${name}" expires in ${roughDuration(expiresAt! - nowMs)}`;
    const next = `jobctl token new ${name}-2 --role ${role} --expires 90d --tokens-file ${file}`;
    findings.push(warning(text, `${next} and, once it is in use, ${revoke}`));
  }
  if (dated.length > SHOWN_MAX) {
    const text = `${dated.length - SHOWN_MAX} more have expired or will soon`;
    findings.push(warning(text, `jobctl token list --tokens-file ${file}`));
  }
  if (isBeyondLoopback && mode === "none") {
    const text = "other machines can connect, and every caller is an administrator";
    findings.push(error(text, 'set server.auth.mode = "token", or server.host = "127.0.0.1"'));
  }
  const hasNone = tokens.length === 0 && !hasTokenFile && problem === null;
  if (isBeyondLoopback && mode === "token" && hasNone) {
    const text = "other machines can connect, but there is no token for them";
    findings.push(
      warning(text, `jobctl token new NAME --role operator --tokens-file ${file}`),
    );
  }
  if (findings.length > 0) return findings;
  return [
    ok(tokens.length === 0 ? "none, and none is needed" : `${tokens.length}, none expires soon`),
  ];
}

/** The command in a hint such as `Make it private: chmod 600 FILE`. */
function commandOf(hint: string | null): string | null {
  return hint === null ? null : /: ((?:sudo )?chmod .+)$/.exec(hint)?.[1] ?? hint;
}
