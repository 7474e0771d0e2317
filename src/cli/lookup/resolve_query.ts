import { isJobError } from "../../core/errors.ts";
import { isUuid } from "../../core/instance.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { Args } from "../parsing/args.ts";
import type { QueryInit } from "../parsing/query.ts";
import { findInstance, resolveId } from "./find_instance.ts";
import { withTag } from "./lookup.ts";

const LAST_COMMAND = "jobctl list instances --flow last:KIND";

/**
 * The query with whole ids in place of the words of `--flow` and `--parent`, and kinds in place of
 * `--tag`.
 *
 * @throws JobError `not_found`, or `invalid_argument` if several ids have the part
 */
export async function resolveQuery(
  client: JobClient,
  query: QueryInit,
  args: Args,
): Promise<QueryInit> {
  const { flowId, parentId } = query;
  return await withTag(client, {
    ...query,
    flowId: flowId && await flowOf(client, flowId),
    parentId: parentId && await resolveId(client, parentId, LAST_COMMAND),
  }, args.text("tag"));
}

/** The id of an instance's flow. If the instance is gone, its whole id may still name a flow. */
async function flowOf(client: JobClient, word: string): Promise<string> {
  try {
    const { flowId, uuid } = await findInstance(client, word, LAST_COMMAND);
    return flowId || uuid;
  } catch (error) {
    if (isUuid(word.toLowerCase()) && isJobError(error, "not_found")) return word.toLowerCase();
    throw error;
  }
}
