import { countText } from "../../core/text/count_text.ts";
import { parseState, stateWord } from "../../core/state.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { roughSize } from "../../core/text/size.ts";
import { configOf, type MovedTo, placeOf } from "../../core/settings/store_address.ts";
import type { PlainRecord } from "../output/view.ts";
import { timeText } from "../output/when.ts";
import { timestampOf } from "../io/wire.ts";
import { fieldLines } from "./details.ts";

function sizeText(bytes: unknown): string | undefined {
  if (typeof bytes !== "number") return undefined;
  return bytes < 1_024 ? roughSize(bytes) : `${roughSize(bytes)} (${bytes} bytes)`;
}

function text(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : makeVisible(String(value));
}

function countsText(counts: unknown): string {
  return Object.entries(counts as Record<string, number>).filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${makeVisible(name)}`).join(", ") || "nothing";
}

/** Display name of a kind of record, if it differs. */
const RECORD_NAMES: Readonly<Record<string, string>> = { log: "log line" };

/** Records with their names: "1 schedule, 27 instances". */
function recordsText(counts: unknown): string {
  return Object.entries(counts as Record<string, number>).filter(([, count]) => count > 0)
    .map(([name, count]) => countText(count, RECORD_NAMES[name] ?? makeVisible(name)))
    .join(", ") || "nothing";
}

/** Instances by their states in everyday words: "27 done, 3 failed". */
function statesText(states: unknown): string {
  const counts = new Map<string, number>();
  for (const [name, count] of Object.entries(states as Record<string, number>)) {
    const state = parseState(name);
    const word = state === null ? name : stateWord(state);
    counts.set(word, (counts.get(word) ?? 0) + count);
  }
  return countsText(Object.fromEntries(counts));
}

function markText(mark: unknown): string | undefined {
  if (typeof mark !== "object" || mark === null) return undefined;
  const there = mark as { type: "receiving"; from: string } | MovedTo & { type: string };
  if ("from" in there) return `being filled from ${makeVisible(there.from)}`;
  const what = there.type === "moved" ? "moved" : "about to move";
  return `${what} to ${makeVisible(placeOf(there))}`;
}

/** A time of a report in the form of other verbs: "2026-11-24 16:53:33Z (2m ago)". */
function whenText(value: unknown, nowMs: number): string | undefined {
  const ms = Date.parse(String(value));
  return Number.isNaN(ms) ? text(value) : timeText(timestampOf(ms), nowMs);
}

/** Facts about a store, for people. */
export function infoLines(report: PlainRecord, nowMs: number): string[] {
  return fieldLines([
    ["Type", text(report.type)],
    ["Location", text(report.location)],
    ["Id", text(report.id)],
    ["Epoch", text(report.epoch)],
    ["Format", text(report.format)],
    ["Durable", report.is_durable === true ? "yes" : "no"],
    ["Mark", markText(report.mark)],
    ["Instances", `${report.instances} (${statesText(report.states)})`],
    ["Schedules", text(report.schedules)],
    ["Pauses", text(report.pauses)],
    ["Oldest instance", whenText(report.oldest_at, nowMs)],
    ["Last backup", whenText(report.backup_at, nowMs)],
    ["Size", sizeText(report.bytes)],
    ["Free in it", sizeText(report.free_bytes)],
    ["Write-ahead log", sizeText(report.wal_bytes)],
  ]);
}

/** Inconsistencies of a store, for people. */
export function problemLines(report: PlainRecord): string[] {
  const problems = report.problems as readonly { check: string; message: string }[];
  if (problems.length === 0) return ["No problems found"];
  return problems.map(({ check, message }) => `${makeVisible(check)}: ${makeVisible(message)}`);
}

/** The result of deleting records, for people. */
export function gcLines(report: PlainRecord): string[] {
  return fieldLines([
    ["Instances deleted", text(report.instances)],
    ["Orphans deleted", text(report.orphans)],
    ["Freed", sizeText(report.freed_bytes)],
    ["Size", sizeText(report.bytes)],
    ["Free in it", sizeText(report.free_bytes)],
  ]);
}

/** The content of a backup, for people. */
export function backupLines(report: PlainRecord, nowMs: number): string[] {
  const lost = report.problems as readonly string[] | undefined;
  return fieldLines([
    ["File", text(report.file)],
    ["Taken", whenText(report.taken_at, nowMs)],
    ["Records", recordsText(report.counts)],
    ["Hash", text(report.hash)],
    [
      "Left out",
      report.left_out
        ? `${countText(Number(report.left_out), "log line")} of deleted instances`
        : undefined,
    ],
    ["Not readable", lost?.map(makeVisible).join("\n")],
  ]);
}

/** The result of a move and the next steps, for people. */
export function moveLines(report: PlainRecord, options: { readonly isVerbose: boolean }): string[] {
  const place = report as unknown as MovedTo;
  const to = makeVisible(placeOf(place));
  const sides = options.isVerbose && !report.is_repeated
    ? fieldLines((["source", "target"] as const).map((side) => {
      const { counts, hash } = report[side] as { counts: unknown; hash: string };
      return [side === "source" ? "Old" : "New", `${recordsText(counts)}; hash ${hash}`];
    }))
    : [];
  return [
    report.is_repeated ? `The store has already moved to ${to}` : `The store has moved to ${to}`,
    ...sides,
    "",
    "Next:",
    `  1. Write in the configuration: ${makeVisible(configOf(place))}`,
    "  2. Restart the daemon",
    "The old store stays as it is; no daemon opens it. Delete it when you no longer want it.",
  ];
}
