import type { Session } from "../../rpc/gen/job_pb.ts";
import type { MessageView } from "../output/view.ts";
import { shortTime } from "./instance_view.ts";

/** Digits of an id in a table: enough to tell a thousand sessions apart. */
const ID_DIGITS = 12;

/** How sessions are listed. */
export const SESSION_VIEW: MessageView<Session> = {
  message: "Session",
  name: (session) => session.id,
  columns: [
    { title: "ID", weight: 9, cell: ({ id }) => id.slice(0, ID_DIGITS) },
    { title: "NAME", weight: 8, least: 12, cell: ({ name }) => name },
    { title: "ROLE", weight: 7, cell: ({ role }) => role },
    { title: "JOBS", isWide: true, cell: ({ jobs }) => jobs.join(" ") || "all" },
    { title: "SINCE", weight: 3, cell: ({ createdAt }, at) => shortTime(createdAt, at) },
    { title: "LAST USED", weight: 6, cell: ({ usedAt }, at) => shortTime(usedAt, at) },
    { title: "ADDRESS", cell: ({ address }) => address },
    { title: "UNTIL", weight: 4, cell: ({ expiresAt }, at) => shortTime(expiresAt, at) },
  ],
};
