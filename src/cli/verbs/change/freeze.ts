import { isJobError } from "../../../core/errors.ts";
import { isUuid } from "../../../core/instance.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import { findNamed, isLast, resolveId } from "../../lookup/find_instance.ts";
import { present } from "../../lookup/lookup.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import type { VerbContext } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";

/** What could be a part of an id. */
const PART = /^[0-9a-f-]{4,36}$/i;

/** True if a word can only mean an instance. */
export function isInstanceWord(word: string): boolean {
  return isLast(word) || isUuid(word.toLowerCase());
}

/** Freeze the instance that the command line names. */
export async function freezeInstance(args: Args, { client, printer }: VerbContext): Promise<void> {
  const [word] = args.words("KIND");
  if (word === undefined) {
    throw usageError(
      "Cannot freeze: no instance is given",
      "Write jobctl pause ID --freeze, or last:KIND in place of the id",
    );
  }
  if (args.given(["until"]).length > 0) {
    throw usageError(
      `Cannot freeze "${makeVisible(word)}" with --until: a command stays frozen until resumed`,
      `Write jobctl pause ${makeVisible(shellWord(word))} --freeze, and later jobctl resume`,
    );
  }
  const connection = await client();
  const uuid = await resolveId(connection, word, "jobctl pause last:KIND --freeze");
  const reason = args.text("reason");
  const { instance, changed } = await connection.freezeInstance({ uuid, reason });
  await printer.one(INSTANCE_VIEW, present(instance, `Cannot freeze instance "${uuid}"`));
  if (!changed) await printer.note("It was frozen already");
}

/** Let a frozen instance continue. @returns false if the word names none, but perhaps a kind */
export async function thawNamed(
  word: string,
  connection: JobClient,
  { printer }: VerbContext,
): Promise<boolean> {
  if (!isInstanceWord(word) && !await isPartOfId(word, connection)) return false;
  const uuid = await resolveId(connection, word, "jobctl resume KIND");
  const { instance, changed } = await connection.freezeInstance({ uuid, thaw: true });
  await printer.one(INSTANCE_VIEW, present(instance, `Cannot resume instance "${uuid}"`));
  if (!changed) await printer.note("It was not frozen");
  return true;
}

async function isPartOfId(word: string, connection: JobClient): Promise<boolean> {
  if (!PART.test(word)) return false;
  try {
    return (await findNamed(connection, word)).type === "instance";
  } catch (error) {
    // A pause outlives its job.
    if (isJobError(error, "not_found")) return false;
    throw error;
  }
}
