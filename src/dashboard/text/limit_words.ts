import { missingTagsText } from "../../core/job/limits.ts";
import type { Block } from "../gen/api_types.ts";

/** Why a limit keeps instances waiting, in words that follow its name. */
export function blockWords({ limit, used, max, needs, nodes = 0 }: Block): string {
  switch (limit) {
    case "node":
      return needs.length > 0
        ? `needs a node with ${missingTagsText(needs, nodes)}`
        : "no live node can run it";
    case "workers":
      return "no node that runs it has workers";
    case "rate":
      return `${used} of ${max} starts are used`;
    case "pool":
      return `${used} of ${max} slots of the pool are taken`;
    default:
      return `${used} of ${max} run at once`;
  }
}
