import type { Session } from "../../rpc/gen/job_pb.ts";
import { formatAbsolute } from "../output/when.ts";
import type { MessageView } from "../output/view.ts";
import { msOf } from "../wire.ts";
import { shortTime } from "./instance_view.ts";

/** Digits of an id in a table: enough to tell a thousand sessions apart. */
const ID_DIGITS = 12;

/** How sessions are listed. */
export const SESSION_VIEW: MessageView<Session> = {
  message: "Session",
  name: (session) => session.id,
  columns: [
    { title: "ID", cell: ({ id }) => id.slice(0, ID_DIGITS) },
    { title: "NAME", isFlexible: true, cell: ({ name }) => name },
    { title: "ROLE", cell: ({ role }) => role },
    { title: "JOBS", isWide: true, cell: ({ jobs }) => jobs.join(" ") || "all" },
    { title: "SINCE", cell: ({ createdAt }, at) => shortTime(createdAt, at) },
    { title: "LAST USED", cell: ({ usedAt }, at) => shortTime(usedAt, at) },
    { title: "ADDRESS", cell: ({ address }) => address },
    { title: "UNTIL", cell: ({ expiresAt }) => formatAbsolute(msOf(expiresAt) ?? 0) },
  ],
};
