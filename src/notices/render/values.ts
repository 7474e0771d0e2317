import type { Notice } from "../../core/notices/notice.ts";
import type { PlaceholderValues } from "../../core/notices/template.ts";
import { makeLinesVisible, makeVisible } from "../../core/text/safe_text.ts";
import { severityOf } from "./severity.ts";
import { factLines, renderText, tableLines } from "./text.ts";
import { type RenderOptions, viewOf } from "./view.ts";

/** The values of a notice for templates: text without control characters but line breaks. */
export function valuesOf(notice: Notice, options: RenderOptions): PlaceholderValues {
  const view = viewOf(notice, options);
  const { subject, run, incident } = notice;
  const error = run?.error ?? null;
  return {
    id: notice.id,
    event: notice.type,
    severity: severityOf(notice),
    status: notice.type === "recovered" ? "resolved" : "firing",
    title: view.title,
    facts: [...factLines(view), ...tableLines(view.items)].join("\n"),
    error: makeLinesVisible(
      error === null ? incident?.lastError ?? "" : `${error.name}: ${error.message}`,
    ),
    output: view.output.join("\n"),
    command: view.command ?? "",
    text: renderText(view),
    subject: makeVisible(subject.name),
    subject_type: subject.type,
    job: subject.type === "job" ? makeVisible(subject.name) : "",
    host: makeVisible(notice.host),
    node: makeVisible(notice.node),
    channel: options.channel,
    at: new Date(notice.at).toISOString(),
    run_id: run?.id ?? "",
    attempt: run?.attempt.toString() ?? "",
    exit_code: error?.exitCode?.toString() ?? "",
    version: makeVisible(run?.version ?? ""),
    incident_id: incident?.id ?? "",
    count: incident?.count.toString() ?? "",
    opened_at: incident === null ? "" : new Date(incident.openedAt).toISOString(),
  };
}
