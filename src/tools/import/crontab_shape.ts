import { basename } from "node:path";

// Recognizes the format of a file by its path, here or on its own host, and by its content.

/** Format of a file: a user's crontab, one with a user before each command, or an anacrontab. */
export type CrontabFormat = "user" | "system" | "anacron";

/** Accounts in most system crontabs. In a user's crontab these words would be programs. */
const ACCOUNTS = /^(?:root|www-data|nobody|apache|munin|systemd-\S+)$/;
/** The line above the columns in the system crontabs of Debian and Red Hat. */
const HEADER = /^#.*\buser(?:-?name)?\b[\s|]+command\b/im;
const ENTRY = /^-?(?:@[a-z]\S*|[\d*~][^\s=]*(?:[ \t]+\S+){4})[ \t]+(\S+)[ \t]+\S/gim;
const ANACRON_ENTRY =
  /^(?:\d+|@(?:daily|weekly|monthly|yearly|annually))[ \t]+\d+[ \t]+[A-Za-z][\w.-]+[ \t]+\S/;
const ASSIGNMENT = /^[\w"']+\s*=/;

function hasAccounts(text: string): boolean {
  for (const [, word] of text.matchAll(ENTRY)) if (ACCOUNTS.test(word!)) return true;
  return false;
}

function isAnacrontab(text: string): boolean {
  const entries = text.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#") && !ASSIGNMENT.test(line));
  return entries.length > 0 && entries.every((line) => ANACRON_ENTRY.test(line));
}

/** The format of a file: by its path, even in a copy of another host's files, else by its text. */
export function formatOf(path: string, text: string): CrontabFormat {
  if (basename(path) === "anacrontab" || isAnacrontab(text)) return "anacron";
  const isSystem = /(?:^|\/)etc\/crontab$|\/cron\.d\/[^/]+$/.test(path) || HEADER.test(text) ||
    hasAccounts(text);
  return isSystem ? "system" : "user";
}

/** The cron folder that a directory is or was, by its path; null if unknown. */
export function folderOf(path: string): "system" | "users" | null {
  if (/\/cron\.d$/.test(path)) return "system";
  return /\/(?:spool\/cron|crontabs|cron\/tabs)$/.test(path) ? "users" : null;
}
