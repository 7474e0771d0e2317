import { createHash } from "node:crypto";
import type { Instance } from "../../core/instance.ts";

/** Id of a child: the time of its parent and a hash, always the same UUID version 7. */
export function childId(parent: Pick<Instance, "id">, key: string): string {
  const hash = createHash("sha256").update(`${parent.id}/${key}`).digest("hex");
  return `${parent.id.slice(0, 13)}-7${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}
