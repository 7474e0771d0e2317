import type { Notice } from "../../core/notices/notice.ts";
import type { ChannelSettings, ChannelTarget } from "../../core/notices/settings.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { noticePayload } from "../render/payload.ts";
import { severityOf } from "../render/severity.ts";
import { valuesOf } from "../render/values.ts";
import type { ChannelDeps, Deliverer } from "./channel.ts";
import { runProgram } from "./run_program.ts";

/** Longest value of a variable, in characters: the system limits all of them together. */
const VALUE_LENGTH_MAX = 10_000;

/** By a program that reads the notice from its standard input. */
export interface ExecTarget extends ChannelTarget {
  readonly to: "exec";
  readonly command: readonly string[];
  /** Additional environment variables. */
  readonly env: Readonly<Record<string, string>>;
}

/** Delivers by running a program. */
export function createExecChannel(
  { name, target }: ChannelSettings<ExecTarget>,
  deps: ChannelDeps,
): Deliverer {
  const env = (notice: Notice) => ({ ...target.env, ...variablesOf(notice, name, deps) });
  const inputOf = (notice: Notice) => `${JSON.stringify(noticePayload(notice, name))}\n`;
  return {
    deliver: (notice, { signal }) =>
      runProgram({
        argv: target.command,
        env: env(notice),
        input: inputOf(notice),
        clock: deps.clock,
        signal,
      }),
    preview: (notice) => {
      const lines = [
        ...Object.entries(env(notice)).map(([key, value]) => `${key}=${shellWord(value)}`),
        target.command.map(shellWord).join(" "),
      ];
      return Promise.resolve(`${lines.join("\n")}\n\n${inputOf(notice)}`);
    },
  };
}

function variablesOf(
  notice: Notice,
  channel: string,
  { timezone }: ChannelDeps,
): Record<string, string> {
  const values = valuesOf(notice, { channel, timezone });
  const all = {
    JOBCTL_EVENT: values.event,
    JOBCTL_SEVERITY: severityOf(notice),
    JOBCTL_TITLE: values.title,
    JOBCTL_TEXT: values.text,
    JOBCTL_SUBJECT: values.subject,
    JOBCTL_SUBJECT_TYPE: values.subject_type,
    JOBCTL_KIND: values.job,
    JOBCTL_NOTICE: values.id,
    JOBCTL_CHANNEL: values.channel,
    JOBCTL_AT: values.at,
    JOBCTL_HOST_NAME: values.host,
    JOBCTL_NODE: values.node,
    JOBCTL_RUN: values.run_id,
    JOBCTL_ATTEMPT: values.attempt,
    JOBCTL_ERROR: values.error,
    JOBCTL_EXIT_CODE: values.exit_code,
    JOBCTL_INCIDENT: values.incident_id,
    JOBCTL_COUNT: values.count,
    JOBCTL_COMMAND: values.command,
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) =>
      [name, value.slice(0, VALUE_LENGTH_MAX).replaceAll("\0", "")] as const
    ),
  );
}
