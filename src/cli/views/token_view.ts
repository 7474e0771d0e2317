import type { StoredToken } from "../../platform/files/tokens_file.ts";
import { formatAbsolute } from "../output/when.ts";
import type { PlainRecord } from "../output/plain.ts";
import type { View } from "../output/view.ts";
import { textCell } from "./instance_view.ts";

/** A token as JSON; never with its hash. */
export function tokenRecord(token: StoredToken): PlainRecord {
  return {
    name: token.name,
    role: token.role,
    jobs: token.jobs === null ? undefined : [...token.jobs],
    created_at: new Date(token.createdAt).toISOString(),
    expires_at: token.expiresAt === null ? undefined : new Date(token.expiresAt).toISOString(),
  };
}

/** How tokens are listed. */
export const TOKEN_VIEW: View<StoredToken> = {
  name: (token) => token.name,
  record: tokenRecord,
  keys: ["name", "role", "jobs", "created_at", "expires_at"],
  columns: [
    { title: "NAME", cell: (token) => textCell(token.name) },
    { title: "ROLE", cell: (token) => textCell(token.role) },
    { title: "JOBS", isFlexible: true, cell: (token) => textCell(token.jobs?.join(" ") ?? "all") },
    {
      title: "EXPIRES",
      cell: ({ expiresAt }, { nowMs }) => {
        if (expiresAt === null) return { text: "never" };
        if (expiresAt <= nowMs) {
          return { text: `expired ${formatAbsolute(expiresAt)}`, style: "bad" };
        }
        return { text: formatAbsolute(expiresAt) };
      },
    },
    {
      title: "CREATED",
      isWide: true,
      cell: ({ createdAt }) => textCell(formatAbsolute(createdAt)),
    },
  ],
};
