import { createHash } from "node:crypto";
import type { OpenRequest } from "./store.ts";

/** A UUID (version 8) for a store that `request` opens first: distinct from earlier ones. */
export function newStoreId({ node, at }: OpenRequest): string {
  const text = `${node} ${at.wallMs} ${at.monotonicMs}`;
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${
    hex.slice(20, 32)
  }`;
}
