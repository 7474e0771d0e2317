import { JobError } from "../../../core/errors.ts";
import type { Connection } from "./connection.ts";
import type { ScriptCall } from "./link.ts";
import { remedyOf } from "./reply_errors.ts";
import { type Reply, ReplyError } from "./resp.ts";

/** Run a script once over a connection that nobody else uses. @throws ConnectionLost, ReplyError */
export async function runScript(connection: Connection, call: ScriptCall): Promise<Uint8Array> {
  const parts = [call.script.sha1, String(call.keys.length), ...call.keys, ...call.args];
  try {
    return asBulk(await connection.command("EVALSHA", ...parts));
  } catch (error) {
    if (!(error instanceof ReplyError) || remedyOf(error) !== "load") throw error;
    await connection.command("SCRIPT", "LOAD", call.script.text);
    return asBulk(await connection.command("EVALSHA", ...parts));
  }
}

function asBulk(reply: Reply): Uint8Array {
  if (reply instanceof Uint8Array) return reply;
  throw noBulk();
}

/** The error of a script that answered something else than a bulk string. */
export function noBulk(): JobError {
  return new JobError("internal", "Cannot use the store: a script answered no text");
}
