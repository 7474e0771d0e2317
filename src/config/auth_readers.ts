import { isKindPattern, PATTERN_WANTED, PATTERNS_MAX } from "../core/job/job_scope.ts";
import { parseZonedTime } from "../core/time/wall_time.ts";
import {
  HASH_WANTED,
  hashToken,
  isTokenHash,
  isTokenName,
  ROLES,
  TOKEN_NAME_WANTED,
  type TokenEntry,
} from "../platform/files/tokens_file.ts";
import type { ClientRule } from "../platform/network/server_config.ts";
import {
  accepted,
  choice,
  list,
  mapped,
  optional,
  parsedText,
  type Reader,
  table,
  TEXT,
} from "./values/readers.ts";
import { SECRET } from "./values/secrets.ts";

/** Shortest token of the configuration, in characters. */
const TOKEN_LENGTH_MIN = 16;
/** Longest name of a certificate, in characters. */
const NAME_LENGTH_MAX = 300;

const PATTERN = accepted(
  PATTERN_WANTED,
  TEXT,
  (value) => isKindPattern(value) ? value : undefined,
);
const GRANTED = {
  role: choice(ROLES),
  jobs: optional(list(PATTERN, { minLength: 1, maxLength: PATTERNS_MAX })),
};

const TOKEN = table("a table { name, token or hash, role, expires, jobs }", {
  name: accepted(TOKEN_NAME_WANTED, TEXT, (value) => isTokenName(value) ? value : undefined),
  /** The hash of a token that is given directly or as a secret reference. */
  token: optional(mapped(SECRET, (token, field, report) => {
    if (token.length >= TOKEN_LENGTH_MIN) return hashToken(token);
    const found = `found a token of ${token.length} characters`;
    return report.value(field, `${found}, wanted at least ${TOKEN_LENGTH_MIN}`);
  })),
  hash: optional(accepted(HASH_WANTED, TEXT, (value) => isTokenHash(value) ? value : undefined)),
  ...GRANTED,
  expires: optional({
    ...parsedText(
      'a time such as "2026-12-31" or "2026-12-31T12:00:00Z"',
      (text) => parseZonedTime(text, "UTC"),
    ),
    // A date of TOML has no type in JSON.
    schema: {},
  }),
});

/** The list of callers' tokens. Only their hashes are kept. */
export const TOKENS: Reader<readonly TokenEntry[]> = list(
  mapped(TOKEN, ({ token, hash, expires, ...entry }, field, report) => {
    if (token !== null && hash !== null) {
      return report.value(field, "found both a token and a hash, wanted one of them");
    }
    const found = token ?? hash;
    if (found === null) return report.value(field, `found no token, wanted ${TOKEN.wanted}`);
    return { ...entry, hash: found, expiresAt: expires };
  }),
);

function certificateName(wanted: string, form: RegExp): Reader<string | null> {
  return optional(accepted(wanted, TEXT, (value) => {
    const isName = typeof value === "string" && value.length <= NAME_LENGTH_MAX && form.test(value);
    return isName ? value : undefined;
  }));
}

const CLIENT = table("a table { cn or san, role, jobs }", {
  cn: certificateName("a name", /./),
  san: certificateName('"DNS:…", "EMAIL:…", "URI:…" or "IP:…"', /^(DNS|EMAIL|URI|IP):./),
  ...GRANTED,
});

/** The list of rules for client certificates, by name. */
export const CLIENTS: Reader<readonly ClientRule[]> = list(
  mapped(CLIENT, (client, field, report) => {
    const { cn, san } = client;
    if ((cn === null) !== (san === null)) return client;
    const found = cn === null ? "found neither cn nor san" : "found both cn and san";
    return report.value(field, `${found}, wanted ${CLIENT.wanted}`);
  }),
);
