import { makeVisible } from "../../core/text/safe_text.ts";
import type { JobInstance, Step } from "../../rpc/gen/job_pb.ts";
import type { Printer } from "../output/printer.ts";
import type { Style } from "../output/table.ts";
import type { MessageView } from "../output/view.ts";
import { timeText } from "../output/when.ts";
import { shortTime } from "./instance_view.ts";
import { waitsText } from "../../core/flow/wait_text.ts";

const STYLES: Readonly<Record<string, Style>> = {
  done: "good",
  failed: "bad",
  timedOut: "warn",
  canceled: "warn",
  waiting: "active",
};
const STATES: Readonly<Record<string, string>> = { timedOut: "timed out" };

/** View of the steps of an instance. */
export const STEP_VIEW: MessageView<Step> = {
  message: "Step",
  name: (step) => step.key,
  columns: [
    { title: "NAME", weight: 9, cell: ({ name }) => makeVisible(name) },
    { title: "TYPE", cell: ({ type }) => makeVisible(type) },
    {
      title: "STATE",
      cell: ({ state }) => ({ text: STATES[state] ?? makeVisible(state), style: STYLES[state] }),
    },
    { title: "TRIES", isNumber: true, cell: ({ tries }) => tries || undefined },
    { title: "AT", cell: ({ at }, paper) => shortTime(at, paper) },
    {
      title: "UNTIL",
      cell: ({ dueAt, state }, paper) => state === "waiting" ? shortTime(dueAt, paper) : undefined,
    },
    { title: "RESULT", weight: 12, cell: (step) => resultText(step) },
    { title: "KEY", isWide: true, cell: ({ key }) => makeVisible(key) },
  ],
};

function resultText({ type, error, valueJson, childId, by }: Step): string | undefined {
  const value = type === "children" ? countsText(valueJson) : valueJson;
  const parts = [
    error === undefined ? value : error.split("\n")[0],
    by === undefined ? undefined : `by ${by}`,
    childId === undefined ? undefined : `instance ${childId.slice(-8)}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : makeVisible(parts.join(", "));
}

/** The ends of several children: `37 done, 3 open`. */
function countsText(valueJson: string | undefined): string | undefined {
  const counts = Object.entries(JSON.parse(valueJson ?? "{}") as Record<string, number>);
  const shown = counts.filter(([, count]) => count > 0).sort(([a], [b]) => a < b ? -1 : 1);
  return shown.map(([state, count]) => `${count} ${STATES[state] ?? state}`).join(", ");
}

/** The waits of a parked instance: `signal "approved", until 2026-12-08 09:00:00`. */
export function waitsShown({ waits, dueAt }: JobInstance, printer: Printer): string {
  const end = dueAt === undefined ? "" : `, until ${timeText(dueAt, printer.nowMs)}`;
  return makeVisible(waitsText(waits as Parameters<typeof waitsText>[0]) + end);
}
