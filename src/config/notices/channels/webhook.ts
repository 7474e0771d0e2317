import { isJobError } from "../../../core/errors.ts";
import { PRESET_NAMES, type PresetName, presetNeeds } from "../../../core/notices/presets.ts";
import { parseTemplate } from "../../../core/notices/template.ts";
import { SECRET_LENGTH_MIN } from "../../../core/text/secret_forms.ts";
import type { WebhookTarget } from "../../../notices/channels/webhook/webhook_channel.ts";
import {
  accepted,
  BOOLEAN,
  choice,
  list,
  mapped,
  type Reader,
  string,
  TEXT,
} from "../../values/readers.ts";
import { key } from "../../values/schema.ts";
import { namedTexts, SECRET } from "../../values/secrets.ts";
import type { Field, Report } from "../../values/source.ts";
import { CA, type ChannelTable, type ChannelType, needed } from "../channel_type.ts";
import { checkPublicUrl, decodedPart, readUrl, serverOfUrl } from "../notice_url.ts";

/** Most host patterns of one channel. */
const HOSTS_MAX = 100;

/** The URL of a webhook, perhaps a secret. */
interface HookUrl {
  /** Without user information. */
  readonly url: URL;
  /** The value of `Authorization` that its user information stands for; null for none. */
  readonly authorization: string | null;
  /** True if it was given as a reference. */
  readonly isReference: boolean;
}

/** Names of headers and parameters whose values are secret. */
const KEY_NAME = /auth|token|key|secret|cookie|pass|sig/i;
/** A parameter of this length is a key, by any name. */
const KEY_LENGTH = 20;

const HOOK_URL: Reader<HookUrl> = {
  schema: SECRET.schema,
  wanted:
    'a URL such as "https://hooks.example.com/x", { file = "PATH" }, { env = "NAME" } or { credential = "NAME" }',
  read(field, report) {
    // If the URL is written directly, only parts of it are secret.
    const isReference = typeof field.value !== "string";
    const text = isReference ? SECRET.read(field, report) : field.value as string;
    if (text === undefined) return undefined;
    const url = readUrl(text);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      return report.value(field, `found other text, wanted ${this.wanted}`);
    }
    const user = decodedPart(url.username);
    const password = decodedPart(url.password);
    const authorization = user === null && password === null
      ? null
      : `Basic ${Buffer.from(`${user ?? ""}:${password ?? ""}`).toString("base64")}`;
    if (password !== null) report.secret(field, password);
    if (authorization !== null) report.secret(field, authorization.slice("Basic ".length));
    for (const [name, value] of url.searchParams) {
      if (KEY_NAME.test(name) || value.length >= KEY_LENGTH) hide(field, value, report);
    }
    url.username = "";
    url.password = "";
    url.hash = "";
    return { url, authorization, isReference };
  },
};

/** Mask a text in all output, unless it is too short to be a key. */
function hide(field: Field, text: string, report: Report): void {
  if (text.length >= SECRET_LENGTH_MIN) report.secret(field, text);
}

const SIGNING_BYTES_MIN = 16;

const SIGNING_SECRET: Reader<string> = mapped(SECRET, (text, field, report) => {
  const encoded = /^whsec_(.*)$/s.exec(text)?.[1];
  if (encoded === undefined) {
    if (text.length >= SIGNING_BYTES_MIN) return text;
    return report.value(
      field,
      `found a secret of ${text.length} characters, wanted at least ${SIGNING_BYTES_MIN}`,
      'Make one: echo "whsec_$(openssl rand -base64 24)"',
    );
  }
  const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(encoded) && encoded.length % 4 === 0 &&
    encoded.length * 3 / 4 >= SIGNING_BYTES_MIN;
  return isBase64 ? text : report.value(
    field,
    `found "whsec_" followed by other text, wanted ${SIGNING_BYTES_MIN} bytes or more in base64`,
    'Make one: echo "whsec_$(openssl rand -base64 24)"',
  );
});

/** Headers that every request has, or that change where it ends. */
const OWN_HEADERS =
  /^(?:host|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|idempotency-key|webhook-.*)$/i;

const HEADERS: Reader<Readonly<Record<string, string>>> = mapped(
  namedTexts({
    wanted: "a table of headers",
    nameProblem: (name) => {
      if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(name)) {
        return "found an invalid header name";
      }
      return OWN_HEADERS.test(name) ? "found a header that jobctl sets itself" : null;
    },
    isSecret: (name) => KEY_NAME.test(name),
  }),
  ({ values }, field, report) => {
    const wrong = Object.entries(values).find(([, value]) =>
      !/^[\x20-\x7e\x80-\xff]*$/.test(value)
    );
    if (wrong === undefined) return values;
    return report.value(field, `found an invalid character in ${wrong[0]}`);
  },
);

const HOST_PATTERN: Reader<string> = accepted(
  'a host such as "hooks.example.com", or "*.example.com" for all hosts below it',
  TEXT,
  (value) => {
    const isPattern = typeof value === "string" && value.length <= 253 &&
      /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$|^[0-9a-f:.]+$/i.test(value);
    return isPattern ? value.toLowerCase() : undefined;
  },
);

const TEMPLATE: Reader<string> = {
  schema: TEXT,
  wanted: 'a text with placeholders such as "{{title}}", JSON or any other text',
  read(field, report) {
    const { value } = field;
    if (typeof value !== "string" || value === "") return report.mismatch(field, this.wanted);
    try {
      parseTemplate(value);
      return value;
    } catch (error) {
      if (!isJobError(error)) throw error;
      return report.value(field, error.message, error.hint);
    }
  },
};

const KEYS = {
  url: key(
    HOOK_URL,
    "Where requests go. Some presets have a default. If the URL contains a key, prefer `{ file = … }`.",
  ),
  preset: key(
    choice(PRESET_NAMES),
    "The service that gets the requests. By default the body is the notice as JSON.",
  ),
  token: key(SECRET, "Key or token of the service, if its preset needs one."),
  chat: key(string({ lengthMax: 200 }), "The Telegram chat or channel, such as `-1001234567890`."),
  secret: key(
    SIGNING_SECRET,
    "Key that signs the requests according to Standard Webhooks: `whsec_` and base64, or any other text.",
  ),
  headers: key(
    HEADERS,
    "Additional headers. They are not sent to another host after a redirect.",
    {},
  ),
  body: key(
    TEMPLATE,
    "Body with placeholders such as `{{title}}`, instead of the notice as JSON.",
  ),
  allow_hosts: key(
    list(HOST_PATTERN, { maxLength: HOSTS_MAX }),
    "Hosts that a redirect may lead to, in addition to the host of `url`.",
    [],
  ),
  allow_private: key(
    BOOLEAN,
    "Allow `http://`, and addresses that are not public, such as those of this host and the local network.",
    false,
  ),
  ca: CA,
};

/** By an HTTP request. */
export const WEBHOOK: ChannelType<typeof KEYS, WebhookTarget> = {
  keys: KEYS,
  aliases: ["http", "https", "url"],
  meant: { method: "A webhook is always a POST request: remove the key" },
  read: readWebhook,
  uses: (target) => ({ server: serverOfUrl(target.url, target) }),
  load: async () =>
    (await import("../../../notices/channels/webhook/webhook_channel.ts")).createWebhookChannel,
};

function readWebhook(table: ChannelTable<typeof KEYS>): WebhookTarget | null {
  const { fields, values, report } = table;
  const { preset = null, token = null, chat = null, body = null, ca: caFile = null } = values;
  const needs = preset === null ? null : presetNeeds(preset);
  if (preset !== null) checkPreset(table, preset);
  else {
    for (const name of ["token", "chat"]) {
      const field = fields.get(name);
      if (field !== undefined) report.key(field, "works only with a preset that uses it");
    }
  }
  const hasDefault = needs !== null && needs.url !== null && !fields.has("url");
  const given: HookUrl | undefined = hasDefault
    ? { url: new URL(needs.url!), authorization: null, isReference: false }
    : needed(table, "url");
  if (given === undefined) return null;
  const { url, authorization, isReference } = given;
  const allowPrivate = values.allow_private ?? false;
  const isUrlSecret = isReference || needs?.isUrlSecret === true;
  const field = fields.get("url");
  if (field !== undefined) {
    checkPublicUrl(url, { field, allowPrivate, report });
    if (isUrlSecret) {
      // The end of the path is the key, and words before it are none.
      for (const text of [url.href, url.pathname + url.search, url.pathname.split("/").at(-1)!]) {
        hide(field, text, report);
      }
    }
  }
  return {
    to: "webhook",
    url: url.href,
    isUrlSecret,
    preset,
    token,
    chat,
    secret: values.secret ?? null,
    headers: {
      ...(authorization === null ? {} : { Authorization: authorization }),
      ...values.headers,
    },
    body,
    allowHosts: values.allow_hosts ?? [],
    allowPrivate,
    caFile,
  };
}

function checkPreset(
  { field, fields, report }: ChannelTable<typeof KEYS>,
  preset: PresetName,
): void {
  const needs = presetNeeds(preset);
  for (const name of ["token", "chat"] as const) {
    const found = fields.get(name);
    if (found === undefined && needs[name] === "needed") {
      const message = `the key \`${name}\` is missing: preset = "${preset}" needs it`;
      report.missing(field, [...field.path, name], message);
    }
    if (found !== undefined && needs[name] === "unused") {
      report.key(found, `preset = "${preset}" does not use it`, "Remove it");
    }
  }
  const body = fields.get("body");
  if (body !== undefined) {
    report.key(body, "preset and body exclude each other", "Keep one of them");
  }
  if (!needs.hasIncidents) return;
  for (const name of ["digest", "quiet"]) {
    const found = fields.get(name);
    if (found === undefined) continue;
    report.key(
      found,
      `cannot be used with preset = "${preset}"`,
      "A digest cannot open or close an incident there: remove it",
    );
  }
}
