import { NOTICE_KINDS } from "../../core/notices/notice.ts";

/** True for the kinds that decide on notices and deliver them: no user started these instances. */
export function isNotice(kind: string): boolean {
  return kind.startsWith(NOTICE_KINDS);
}
