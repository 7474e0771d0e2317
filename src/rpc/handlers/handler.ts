import type { MessageShape } from "@bufbuild/protobuf";
import type { JobService } from "../gen/job_pb.ts";
import { BRIEF_CHARACTERS } from "../limits.ts";
import type { WireRecord } from "../messages/wire_record.ts";
import type { CallerInfo, UnaryName } from "../backend.ts";

type Methods = typeof JobService["method"];

/** The state of a call, between its handler and the code that encodes the response. */
export interface CallState {
  readonly isCanceled: () => boolean;
  /** The caller; anonymous for a method that does not depend on it. */
  readonly caller: CallerInfo;
  /** Most items of a page; lowered when the response was too large for one message. */
  pageLimit: number;
  /** Items in the response's page; 0 for a response without pages. */
  pageItems: number;
  /** True if the handler only reads, and supports {@link isBrief}. */
  canBeBrief: boolean;
  /** The full response exceeded one message: omit data that other methods can return. */
  isBrief: boolean;
}

/** Longest description, reason or problem in a response. */
export function textLengthMax({ isBrief }: CallState): number {
  return isBrief ? BRIEF_CHARACTERS : Infinity;
}

/** One handler for each unary method; the table does not compile when one is missing. */
export type Handlers = {
  readonly [Name in UnaryName]: (
    request: MessageShape<Methods[Name]["input"]>,
    call: CallState,
  ) =>
    | WireRecord<Methods[Name]["output"]>
    | Promise<WireRecord<Methods[Name]["output"]>>;
};
