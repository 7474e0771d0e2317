import { lstatSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { shellWord } from "../../core/text/shell_word.ts";
import { asOwner, openToOthers } from "../../platform/files/private_files.ts";
import { readRegularFile } from "../../platform/files/read_file.ts";
import { trustProblem } from "../../platform/files/trusted_path.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** Files that others can read or change. */
export type PermissionsFacts = ReturnType<typeof readPermissions>;

/** Inspected places. */
export interface PermissionsPlaces {
  readonly files: readonly string[];
  readonly secrets: ReadonlySet<string>;
  /** Folders of job modules. */
  readonly modules: readonly string[];
  /** The database; null without a store. */
  readonly database: string | null;
  readonly keys: readonly string[];
  /** The socket; null without one. */
  readonly socket: string | null;
  readonly spool: string;
  readonly owners: readonly number[];
}

const FILE_BYTES_MAX = 4 * 2 ** 20;
/** Shorter texts are in any file by chance. */
const SECRET_LENGTH_MIN = 4;
const READ_BY_OTHERS = 0o004;

/** Look at the modes and owners. */
export function readPermissions(places: PermissionsPlaces) {
  const { files, secrets, modules, database, keys, socket, spool, owners } = places;
  const stored = database === null
    ? []
    : ["", "-wal", "-shm"].map((suffix) => `${database}${suffix}`);
  const folders: readonly (readonly [string, string])[] = [
    ...files.map((path) => ["the configuration", path] as const),
    ...modules.map((path) => ["the folder of jobs", path] as const),
    ...database === null ? [] : [["the folder of the store", dirname(database)] as const],
    ...socket === null ? [] : [["the folder of the socket", dirname(socket)] as const],
    ["the folder of kept reports", spool],
  ];
  const untrusted = new Map<string, { what: string; message: string; remedy: string }>();
  for (const [what, path] of folders) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) continue;
    const problem = trustProblem(path, { owners });
    if (problem === null || untrusted.has(problem.message)) continue;
    untrusted.set(problem.message, { what, message: problem.message, remedy: problem.hint });
  }
  return {
    /** Files of the configuration with secrets in them, and their modes. */
    withSecrets: files.flatMap((path) => {
      const mode = modeOfSecrets(path, secrets);
      return mode === null ? [] : [{ path, mode, remedy: closeCommand(path) }];
    }),
    /** Files of the store, and keys, that others can read, with their modes. */
    open: [
      ...openToOthers(stored).map((file) => ({ what: "the store", ...file })),
      ...openToOthers(keys).map((file) => ({ what: "a private key", ...file })),
    ].filter(({ mode }) => (mode & 0o007) !== 0)
      .map((file) => ({ ...file, remedy: closeCommand(file.path) })),
    /** Files that other users can change. */
    untrusted: [...untrusted.values()],
  };
}

/** Judge the findings. */
export function checkPermissions({ withSecrets, open, untrusted }: PermissionsFacts): Finding[] {
  const { ok, warning, error } = findingsOf("permissions");
  const findings = [
    ...withSecrets.filter(({ mode }) => (mode & READ_BY_OTHERS) !== 0).map(
      ({ path, mode, remedy }) =>
        error(`every user can read the secrets in "${path}" (mode ${modeText(mode)})`, remedy),
    ),
    ...open.map(({ what, path, mode, remedy }) =>
      error(`other users can open ${what}, "${path}" (mode ${modeText(mode)})`, remedy)
    ),
    ...untrusted.map(({ what, message, remedy }) => warning(`${what}: ${message}`, remedy)),
  ];
  return findings.length > 0
    ? findings
    : [ok("no secret is readable, and nothing writable, for others")];
}

function closeCommand(path: string): string {
  return asOwner(`chmod o-rwx ${shellWord(path)}`, path);
}

/** The mode of a file with a secret; null for any other. */
function modeOfSecrets(path: string, secrets: ReadonlySet<string>): number | null {
  if (secrets.size === 0 || !statSync(path, { throwIfNoEntry: false })?.isFile()) return null;
  try {
    const found = readRegularFile(path, FILE_BYTES_MAX);
    if (found === null) return null;
    const text = found.bytes.toString("utf8");
    const has = [...secrets].some((secret) =>
      secret.length >= SECRET_LENGTH_MIN &&
      (text.includes(secret) || text.includes(JSON.stringify(secret).slice(1, -1)))
    );
    return has ? found.mode : null;
  } catch {
    // Reading the configuration has reported it.
    return null;
  }
}

function modeText(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}
