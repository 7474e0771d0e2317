import type { Notice, NoticeType } from "../../core/notices/notice.ts";

/** Severities of a notice, worst first. */
const SEVERITIES = ["critical", "error", "warning", "info", "ok"] as const;

/** Severity of a notice; "ok" means that a problem is over. */
export type Severity = (typeof SEVERITIES)[number];

const SEVERITY: Readonly<Record<Exclude<NoticeType, "digest">, Severity>> = {
  failed: "error",
  recovered: "ok",
  late: "warning",
  missed: "error",
  long: "warning",
  short: "warning",
  dead: "error",
  lost: "error",
  disabled: "error",
  "reload-refused": "error",
  "node-lost": "critical",
  store: "critical",
  "workers-busy": "warning",
  "port-closed": "error",
  output: "info",
  test: "info",
};

/** Severity of a notice; a digest has its worst item's. */
export function severityOf({ type, items }: Pick<Notice, "type" | "items">): Severity {
  if (type !== "digest") return SEVERITY[type];
  const found = new Set(items.map(({ event }) => SEVERITY[event]));
  return SEVERITIES.find((severity) => found.has(severity)) ?? "info";
}
