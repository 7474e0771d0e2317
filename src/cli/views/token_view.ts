import type { StoredToken } from "../../platform/files/tokens_file.ts";
import { formatAbsolute, isoText } from "../output/when.ts";
import { membersOf, type RecordView } from "../output/view.ts";

/** How tokens are listed. */
export const TOKEN_VIEW: RecordView<StoredToken> = {
  name: (token) => token.name,
  // Never with its hash.
  fields: {
    ...membersOf<StoredToken>("name", "role", "jobs"),
    created_at: ({ createdAt }) => isoText(createdAt),
    expires_at: ({ expiresAt }) => isoText(expiresAt),
  },
  columns: [
    { title: "NAME", weight: 9, least: 12, cell: (token) => token.name },
    { title: "ROLE", weight: 8, cell: (token) => token.role },
    { title: "JOBS", least: 12, cell: (token) => token.jobs?.join(" ") ?? "all" },
    {
      title: "EXPIRES",
      weight: 7,
      cell: ({ expiresAt }, { nowMs }) => {
        if (expiresAt === null) return "never";
        const time = formatAbsolute(expiresAt);
        return expiresAt > nowMs ? time : { text: `expired ${time}`, style: "bad" };
      },
    },
    { title: "CREATED", isWide: true, cell: ({ createdAt }) => formatAbsolute(createdAt) },
  ],
};
