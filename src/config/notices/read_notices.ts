import {
  CHANNELS_MAX,
  type ChannelSettings,
  isChannelName,
  NOTICE_LIMIT,
  type NoticeRules,
} from "../../core/notices/settings.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import { collectFields, readFields, type Values } from "../values/schema.ts";
import { type Field, Report } from "../values/source.ts";
import type { AnyChannelType, ChannelTable } from "./channel_type.ts";
import { CHANNEL_TYPES, NOTICE_SCHEMA, RULE_KEYS } from "./notice_keys.ts";

/** A table; only the keys that all channels share are known. */
type RuleTable = Omit<ChannelTable<typeof RULE_KEYS>, "keys">;

/** Read the tables `[notices.NAME]`, each under its name. Problems are in `report`. */
export function readNotices(tables: readonly Field[], report: Report): readonly ChannelSettings[] {
  if (tables.length > CHANNELS_MAX) {
    report.key(
      tables[CHANNELS_MAX]!,
      `found ${tables.length} channels, wanted at most ${CHANNELS_MAX}`,
    );
  }
  return tables.slice(0, CHANNELS_MAX).flatMap((table) => readNotice(table, report) ?? []);
}

function readNotice(field: Field, report: Report): ChannelSettings | null {
  const name = String(field.path[1]);
  if (!isObject(field.value)) return report.mismatch(field, "a table") ?? null;
  const own = new Report();
  if (!isChannelName(name)) {
    const wanted = "wanted a lower-case letter, then at most 62 of a-z, 0-9, _ and -";
    own.key(field, `found an invalid channel name, ${wanted}`);
  }
  const fields = collectFields(NOTICE_SCHEMA, field, own);
  const values: Partial<Values<typeof RULE_KEYS>> = readFields(NOTICE_SCHEMA, fields, own);
  const table = { field, fields, values, report: own };
  const type = values.to === undefined ? null : CHANNEL_TYPES[values.to]!;
  checkKeys(table, type);
  if (isWindows()) checkSystem(table, type);
  const rules = readRules(table);
  const target = type?.read({ ...table, keys: type.keys });
  report.addAll(own);
  if (own.problems.length > 0 || !target) return null;
  return { name, rules, target, timeoutMs: values.timeout ?? 30_000 };
}

/** Report keys that this type of channel does not have. */
function checkKeys({ field, fields, report }: RuleTable, type: AnyChannelType | null): void {
  if (type === null) {
    if (!fields.has("to")) {
      const names = Object.keys(CHANNEL_TYPES).map((name) => `"${name}"`);
      const hint = `Write to = ${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
      report.missing(field, [...field.path, "to"], "the key `to` is missing", hint);
    }
    return;
  }
  for (const [name, found] of fields) {
    if (Object.hasOwn(RULE_KEYS, name) || Object.hasOwn(type.keys, name)) continue;
    const types = Object.entries(CHANNEL_TYPES).filter(([, { keys }]) => Object.hasOwn(keys, name));
    report.key(found, `works only with ${types.map(([to]) => `to = "${to}"`).join(" or ")}`);
  }
}

function readRules({ fields, values, report }: RuleTable): NoticeRules {
  const rate = fields.get("rate");
  if (rate !== undefined && fields.has("after")) {
    report.key(rate, "rate and after exclude each other", "Keep one of them");
  }
  return {
    on: [...new Set(values.on ?? RULE_KEYS.on.initial as NoticeRules["on"])],
    jobs: values.jobs ?? RULE_KEYS.jobs.initial as string[],
    after: values.after ?? 1,
    rate: values.rate ?? null,
    repeatMs: values.repeat ?? null,
    digestMs: values.digest ?? null,
    quiet: values.quiet ?? [],
    limit: values.limit ?? NOTICE_LIMIT,
  };
}

/** Report a channel that needs what Windows does not have. */
function checkSystem({ fields, values, report }: RuleTable, type: AnyChannelType | null): void {
  const key = type?.unixKey?.(values) ?? null;
  if (key === null) return;
  const hint = 'Use a mail server (smtp), to = "webhook", or syslog with the address of a server';
  report.key(fields.get(key)!, "does not work on Windows", hint);
}
