import type { StoredToken } from "../../platform/files/tokens_file.ts";
import { formatAbsolute } from "../output/when.ts";
import { type View, viewOf } from "../output/view.ts";
import { textCell } from "./instance_view.ts";

/** How tokens are listed. */
export const TOKEN_VIEW: View<StoredToken> = viewOf({
  name: (token) => token.name,
  // Never with its hash.
  fields: {
    name: (token) => token.name,
    role: (token) => token.role,
    jobs: ({ jobs }) => jobs === null ? undefined : [...jobs],
    created_at: ({ createdAt }) => new Date(createdAt).toISOString(),
    expires_at: ({ expiresAt }) =>
      expiresAt === null ? undefined : new Date(expiresAt).toISOString(),
  },
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
});
