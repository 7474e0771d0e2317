import { existsSync } from "node:fs";
import type { ProcessSpec } from "../../core/job/job.ts";
import type { JobTable } from "../../core/job/job_table.ts";
import { type Account, resolveAccount } from "../../platform/system/accounts.ts";
import type { ModuleFile } from "./find_modules.ts";

/**
 * The environment in which a module is imported to be described. It matches its jobs' environment,
 * so that it finds the same files and variables.
 */
export interface Surroundings {
  readonly account: Account;
  readonly env: Readonly<Record<string, string>>;
  /** The secret variables among them. */
  readonly secrets: readonly string[];
  /** Null for the daemon's own directory. */
  readonly cwd: string | null;
}

/**
 * The surroundings of a module by the tables of its jobs, first the table with the file's name. The
 * module's jobs are unknown before the import, so tables also match if the source quotes their
 * kind. A source can quote anything, so the module receives only variables of jobs that run as the
 * importing account.
 */
export function surroundingsOf(file: ModuleFile, tables: Iterable<JobTable>): Surroundings {
  const specs: ProcessSpec[] = [];
  for (const { kind, process, isEnabled } of tables) {
    if (!process || !isEnabled) continue;
    if (kind === file.fileKind) specs.unshift(process);
    else if (isQuoted(kind, file.source)) specs.push(process);
  }
  const account = accountOf(specs.find(({ user, group }) => user !== null || group !== null));
  const own = specs.filter((spec) => isSame(accountOf(spec), account));
  const [first] = own;
  const ownHome = account.uid === undefined ? null : existsSync(account.home) ? account.home : "/";
  return {
    account,
    env: Object.assign({}, ...own.toReversed().map(({ env }) => env)),
    secrets: own.flatMap(({ secrets }) => secrets),
    cwd: first?.cwd ?? ownHome,
  };
}

function isQuoted(kind: string, source: string): boolean {
  return ['"', "'", "`"].some((quote) => source.includes(`${quote}${kind}${quote}`));
}

function isSame(one: Account, other: Account): boolean {
  return one.uid === other.uid && one.gid === other.gid;
}

/** The account of a job; ours if its user is unavailable: the job is refused later. */
export function accountOf(spec: ProcessSpec | null | undefined): Account {
  try {
    return resolveAccount(spec?.user ?? null, spec?.group ?? null);
  } catch {
    return resolveAccount(null, null);
  }
}
