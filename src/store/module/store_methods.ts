import type { ReplicaMedium } from "../replica/medium.ts";
import type { RecordStore } from "../records.ts";
import type { Store } from "../store.ts";

/** Every method that a store must have. */
const STORE: Readonly<Record<Exclude<keyof Store, "records" | "problem" | "quietMs">, true>> = {
  ...{ open: true, close: true, enqueue: true, claim: true, renew: true, settle: true },
  ...{ recordRuns: true, appendLogs: true, cancel: true, reap: true, redrive: true },
  ...{ nextDue: true, blockOf: true, blocks: true, subscribe: true, stats: true },
  ...{
    get: true,
    findIds: true,
    list: true,
    history: true,
    logs: true,
    tailLogs: true,
    logEnd: true,
  },
  ...{ upcoming: true },
  ...{ putSchedule: true, deleteSchedule: true, getSchedule: true, listSchedules: true },
  ...{ dueSchedules: true, advance: true, backfill: true, listFates: true },
  ...{ countSpans: true, listLater: true, listGaps: true },
  ...{ setPause: true, removePause: true, listPauses: true },
  ...{ listMemos: true, putMemo: true, addNews: true, removeMemos: true },
  ...{ retain: true, clearInstances: true, clearLogs: true, correctTimes: true },
  ...{ joinNode: true, reportNode: true, leaveNode: true, listNodes: true, setNodeWorkers: true },
};

/** Every method of a store's records. */
const RECORDS: Readonly<Record<keyof RecordStore, true>> = {
  ...{ readRecords: true, writeRecords: true, removeRecords: true, getMark: true, setMark: true },
  ...{ findProblems: true, removeOrphans: true, size: true, compact: true },
};

/** Methods that every medium must have. */
const MEDIUM: Readonly<
  Record<"load" | "version" | "commit" | "watch" | "close", true>
> = { load: true, version: true, commit: true, watch: true, close: true };

/** The kind of an object given as a store. */
export type StoreShape =
  | { readonly type: "store"; readonly store: Store }
  | { readonly type: "medium"; readonly medium: ReplicaMedium }
  /** Missing methods or members of what it seems to be. */
  | { readonly type: "incomplete"; readonly meant: "Store" | "ReplicaMedium"; missing: string[] }
  | { readonly type: "neither" };

/** Tell the kind of an object by its methods. */
export function shapeOf(value: unknown): StoreShape {
  if (typeof value !== "object" || value === null) return { type: "neither" };
  const has = (name: string) => typeof Reflect.get(value, name) === "function";
  const records: unknown = Reflect.get(value, "records");
  const hasRecords = (name: string) =>
    typeof records === "object" && records !== null &&
    typeof Reflect.get(records, name) === "function";
  const missingOfStore = Object.keys(STORE).filter((name) => !has(name));
  for (const name of Object.keys(RECORDS)) {
    if (!hasRecords(name)) missingOfStore.push(`records.${name}`);
  }
  if (missingOfStore.length === 0) return { type: "store", store: value as Store };
  const missingOfMedium = Object.keys(MEDIUM).filter((name) => !has(name));
  for (const name of ["type", "location"]) {
    if (typeof Reflect.get(value, name) !== "string") missingOfMedium.push(`${name} (a string)`);
  }
  if (typeof Reflect.get(value, "isDurable") !== "boolean") {
    missingOfMedium.push("isDurable (true or false)");
  }
  if (missingOfMedium.length === 0) return { type: "medium", medium: value as ReplicaMedium };
  const isMeant = (names: object, but: string) =>
    Object.keys(names).some((name) => name !== but && has(name));
  if (isMeant(MEDIUM, "close")) {
    return { type: "incomplete", meant: "ReplicaMedium", missing: missingOfMedium };
  }
  if (!isMeant(STORE, "close")) return { type: "neither" };
  return { type: "incomplete", meant: "Store", missing: missingOfStore };
}
