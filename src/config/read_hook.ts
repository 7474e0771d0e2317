import { type HookTable, standardKey, TIMED_FORMS, TOKEN_HEADER } from "../core/hooks/hook.ts";
import { isObject } from "../core/text/object_keys.ts";
import type { HOOK_KEYS } from "./job_keys.ts";
import type { Values } from "./values/schema.ts";
import { childOf, type Field, type Report } from "./values/source.ts";

/** Default limit on the age of a signed time, in milliseconds. */
const REPLAY_WINDOW_MS = 300_000;
/** Fewest bytes of a key of Standard Webhooks. */
const KEY_BYTES_MIN = 16;

/** Read the keys of `[jobs.KIND.hook]`. @returns undefined if it is absent, or after a report */
export function readHook(
  table: Field,
  fields: ReadonlyMap<string, Field>,
  values: Partial<Values<typeof HOOK_KEYS>>,
  report: Report,
): HookTable | undefined {
  const own = isObject(table.value) ? table.value.hook : undefined;
  if (!isObject(own)) return undefined;
  const hook = childOf(table, "hook", own);
  const { "hook.verify": form, "hook.secret": secrets } = values;
  if (!fields.has("hook.verify")) {
    const hint = 'Write who calls: verify = "github", "stripe", …';
    report.missing(hook, [...hook.path, "verify"], "verify is missing", hint);
  }
  if (!fields.has("hook.secret")) {
    const hint = 'Write: secret = { file = "/run/secrets/hook" }';
    report.missing(hook, [...hook.path, "secret"], "secret is missing", hint);
  }
  if (form === undefined || secrets === undefined) return undefined;
  const window = fields.get("hook.replay_window");
  if (window !== undefined && !TIMED_FORMS.has(form)) {
    report.key(window, `works only with a signed time, which verify = "${form}" does not have`);
  }
  const header = fields.get("hook.header");
  if (header !== undefined && form !== "token") {
    report.key(header, 'works only with verify = "token"');
  }
  const headerName = values["hook.header"] ?? TOKEN_HEADER;
  checkHeaders(fields, values, form === "token" ? headerName : null, report);
  const secret = fields.get("hook.secret")!;
  if (form === "standard") { for (const text of secrets) checkStandard(text, secret, report); }
  return {
    form,
    secrets,
    header: headerName,
    replayWindowMs: values["hook.replay_window"] ?? REPLAY_WINDOW_MS,
    arguments: values["hook.arguments"] ?? [],
    conditions: values["hook.only"] ?? [],
  };
}

/** Secret headers: arguments are stored, and shown to everybody who may see the job. */
const SECRET_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
]);

/** @param token the header with the secret; null without one */
function checkHeaders(
  fields: ReadonlyMap<string, Field>,
  values: Partial<Values<typeof HOOK_KEYS>>,
  token: string | null,
  report: Report,
): void {
  const sources = (["hook.arguments", "hook.only"] as const).flatMap((key) =>
    (values[key] ?? []).map(({ from }) => ({ from, field: fields.get(key)! }))
  );
  for (const { from, field } of sources) {
    if (from.part !== "header") continue;
    if (!SECRET_HEADERS.has(from.name) && from.name !== token) continue;
    report.value(field, `found "${from.text}", which is a secret`, "Use another header");
  }
}

function checkStandard(text: string, field: Field, report: Report): void {
  const key = standardKey(text);
  const hint = 'Make one: echo "whsec_$(openssl rand -base64 32)"';
  if (key === null) {
    report.value(field, 'found something else than "whsec_" and base64', hint);
  } else if (key.byteLength < KEY_BYTES_MIN) {
    const found = `found a key of ${key.byteLength} bytes`;
    report.value(field, `${found}, wanted at least ${KEY_BYTES_MIN}`, hint);
  }
}
