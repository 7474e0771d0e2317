import { isJobError } from "../core/errors.ts";
import { isKindPattern, PATTERN_WANTED, PATTERNS_MAX } from "../core/job/job_scope.ts";
import { didYouMean } from "../core/text/nearest.ts";
import { parseZonedTime } from "../core/time/wall_time.ts";
import {
  HASH_WANTED,
  hashToken,
  isTokenHash,
  isTokenName,
  type Role,
  ROLES,
  TOKEN_NAME_WANTED,
  type TokenEntry,
} from "../platform/files/tokens_file.ts";
import type { ClientConfig } from "./config.ts";
import { choice, list, type Reader, TEXT } from "./readers.ts";
import { secret } from "./secrets.ts";
import { childOf, type Field, isTable, type Report } from "./source.ts";

/** Shortest token of the configuration, in characters. */
const TOKEN_LENGTH_MIN = 16;
/** Longest name of a certificate, in characters. */
const NAME_LENGTH_MAX = 300;

const secretText = secret();
const role = choice(ROLES);

function pattern(): Reader<string> {
  return {
    schema: TEXT,
    wanted: PATTERN_WANTED,
    read: (field, report) =>
      isKindPattern(field.value) ? field.value : report.mismatch(field, PATTERN_WANTED),
  };
}

const jobs = list(pattern(), { minLength: 1, maxLength: PATTERNS_MAX });

/**
 * Read a table of known keys and report unknown ones. Undefined for anything else, after a report.
 */
function tableOf(
  field: Field,
  report: Report,
  { keys, wanted }: { readonly keys: readonly string[]; readonly wanted: string },
): Record<string, unknown> | undefined {
  const { value } = field;
  if (!isTable(value)) return report.value(field, `found no table, wanted ${wanted}`);
  for (const name of Object.keys(value)) {
    if (keys.includes(name)) continue;
    const hint = didYouMean(name, keys) ?? `Wanted ${wanted}`;
    report.key(childOf(field, name, null), "unknown key", hint);
  }
  return value;
}

function readRole(
  table: Record<string, unknown>,
  { field, wanted, report }: { readonly field: Field; readonly wanted: string; report: Report },
): Role | undefined {
  if (table.role === undefined) return report.value(field, `found no role, wanted ${wanted}`);
  return role.read(childOf(field, "role", table.role), report);
}

/** Absent: null. Undefined after a report. */
function readJobs(
  table: Record<string, unknown>,
  field: Field,
  report: Report,
): readonly string[] | null | undefined {
  return table.jobs === undefined ? null : jobs.read(childOf(field, "jobs", table.jobs), report);
}

function readExpiry(
  table: Record<string, unknown>,
  field: Field,
  report: Report,
): number | null | undefined {
  const { expires } = table;
  if (expires === undefined) return null;
  const at = childOf(field, "expires", expires);
  if (expires instanceof Date) return expires.getTime();
  const wanted = 'a time such as "2026-12-31" or "2026-12-31T12:00:00Z"';
  if (typeof expires !== "string") return report.mismatch(at, wanted);
  try {
    return parseZonedTime(expires, "UTC");
  } catch (error) {
    if (!isJobError(error)) throw error;
    return report.mismatch(at, wanted);
  }
}

/** The hash of a token, given directly or as a secret reference. */
function readHash(
  table: Record<string, unknown>,
  { field, wanted, report }: { readonly field: Field; readonly wanted: string; report: Report },
): string | undefined {
  const { token: given, hash } = table;
  if (given !== undefined && hash !== undefined) {
    return report.value(field, "found both a token and a hash, wanted one of them");
  }
  if (hash !== undefined) {
    return isTokenHash(hash) ? hash : report.mismatch(childOf(field, "hash", hash), HASH_WANTED);
  }
  if (given === undefined) return report.value(field, `found no token, wanted ${wanted}`);
  const at = childOf(field, "token", given);
  const token = secretText.read(at, report);
  if (token === undefined) return undefined;
  if (token.length >= TOKEN_LENGTH_MIN) return hashToken(token);
  const found = `found a token of ${token.length} characters`;
  return report.value(at, `${found}, wanted at least ${TOKEN_LENGTH_MIN}`);
}

/** The list of callers' tokens. Only their hashes are kept. */
export function tokens(): Reader<readonly TokenEntry[]> {
  const wanted = "a table { name, token or hash, role, expires, jobs }";
  const properties = {
    name: TEXT,
    token: secretText.schema,
    hash: TEXT,
    role: role.schema,
    // A date of TOML has no type in JSON.
    expires: {},
    jobs: jobs.schema,
  };
  const keys = Object.keys(properties);
  return list({
    schema: { type: "object", properties, required: ["name", "role"], additionalProperties: false },
    wanted,
    read(field, report) {
      const table = tableOf(field, report, { keys, wanted });
      if (table === undefined) return undefined;
      const { name } = table;
      if (name === undefined) report.value(field, `found no name, wanted ${wanted}`);
      else if (!isTokenName(name)) report.mismatch(childOf(field, "name", name), TOKEN_NAME_WANTED);
      const entry = {
        role: readRole(table, { field, wanted, report }),
        hash: readHash(table, { field, wanted, report }),
        jobs: readJobs(table, field, report),
        expiresAt: readExpiry(table, field, report),
      };
      const isComplete = Object.values(entry).every((value) => value !== undefined);
      if (!isComplete || !isTokenName(name)) return undefined;
      return { name, ...entry } as TokenEntry;
    },
  });
}

/** The list of rules for client certificates, by name. */
export function clients(): Reader<readonly ClientConfig[]> {
  const wanted = "a table { cn or san, role, jobs }";
  const sanWanted = '"DNS:…", "EMAIL:…", "URI:…" or "IP:…"';
  const properties = { cn: TEXT, san: TEXT, role: role.schema, jobs: jobs.schema };
  const keys = Object.keys(properties);
  return list({
    schema: { type: "object", properties, required: ["role"], additionalProperties: false },
    wanted,
    read(field, report) {
      const table = tableOf(field, report, { keys, wanted });
      if (table === undefined) return undefined;
      const { cn, san } = table;
      if ((cn === undefined) === (san === undefined)) {
        const found = cn === undefined ? "found neither cn nor san" : "found both cn and san";
        return report.value(field, `${found}, wanted ${wanted}`);
      }
      const name = cn ?? san;
      const at = childOf(field, cn === undefined ? "san" : "cn", name);
      const isText = typeof name === "string" && name !== "" && name.length <= NAME_LENGTH_MAX;
      if (!isText) return report.mismatch(at, "a name");
      if (cn === undefined && !/^(DNS|EMAIL|URI|IP):./.test(name)) {
        return report.mismatch(at, sanWanted);
      }
      const granted = readRole(table, { field, wanted, report });
      const scope = readJobs(table, field, report);
      if (granted === undefined || scope === undefined) return undefined;
      return {
        cn: cn === undefined ? null : name,
        san: cn === undefined ? name : null,
        role: granted,
        jobs: scope,
      };
    },
  });
}
