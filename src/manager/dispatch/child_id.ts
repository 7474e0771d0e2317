import { createHash } from "node:crypto";
import type { Instance } from "../../core/instance.ts";

/**
 * Id of a child: the time of its parent and a hash, always the same UUID.
 *
 * @param version "8" for a child of a step: nobody else can take its id
 */
export function childId(parent: Pick<Instance, "id">, key: string, version = "7"): string {
  const hash = createHash("sha256").update(`${parent.id}/${key}`).digest("hex");
  return `${parent.id.slice(0, 13)}-${version}${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${
    hash.slice(6, 18)
  }`;
}
