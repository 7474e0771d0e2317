import { resolve } from "node:path";
import type { ExecTarget } from "../../../notices/channels/exec_channel.ts";
import { key } from "../../values/schema.ts";
import { ENVIRONMENT } from "../../values/secrets.ts";
import { ARGV } from "../../values/special_readers.ts";
import { type ChannelType, needed } from "../channel_type.ts";

const KEYS = {
  command: key(
    ARGV,
    "The program and its arguments. It runs without a shell, with the notice on its standard input.",
  ),
  env: key(ENVIRONMENT, "Additional environment variables.", {}),
};

/** By a program that reads the notice from its standard input. */
export const EXEC: ChannelType<typeof KEYS, ExecTarget> = {
  keys: KEYS,
  aliases: ["command", "script"],
  unixKey: () => "to",
  read(table) {
    const command = needed(table, "command");
    if (command === undefined) return null;
    const [program, ...rest] = command;
    const isRelative = /^\.{1,2}\//.test(program!);
    const path = isRelative ? resolve(table.field.source.baseDir, program!) : program!;
    return { to: "exec", command: [path, ...rest], env: table.values.env?.values ?? {} };
  },
  uses: ({ command }) => ({ program: { key: "command", path: command[0]! } }),
  load: async () => (await import("../../../notices/channels/exec_channel.ts")).createExecChannel,
};
