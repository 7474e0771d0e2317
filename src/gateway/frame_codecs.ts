import type { UnaryName } from "../rpc/backend.ts";
import { METHOD_RULES } from "../rpc/gen/method_rules.ts";
import type { FrameCodec } from "./batches.ts";
import type { Answer, Request } from "./messages.ts";

const NEXT = 1;
const CANCEL = 2;
/**
 * Code of a call without a list of jobs and a caller: this plus the index of its method, for JSON
 * after the codes for texts.
 */
const FIRST_CALL = 3;
// Not from the contract: an idle daemon does not load its messages.
const METHODS = Object.keys(METHOD_RULES) as UnaryName[];
const CALL_CODES = new Map(METHODS.map((method, index) => [method, FIRST_CALL + index]));

/** Codes of the listeners' requests. */
export const REQUEST_CODEC: FrameCodec<Request> = {
  codeOf(frame) {
    switch (frame.type) {
      case "call":
        return frame.jobs === null && frame.caller === undefined
          ? CALL_CODES.get(frame.method)! + (frame.isJson === true ? METHODS.length : 0)
          : 0;
      case "next":
        return NEXT;
      case "cancel":
        return CANCEL;
      default:
        return 0;
    }
  },
  frameOf(code, id) {
    if (code === NEXT) return { type: "next", id };
    if (code === CANCEL) return { type: "cancel", id };
    const index = code - FIRST_CALL;
    const method = METHODS[index % METHODS.length]!;
    if (index < METHODS.length) return { type: "call", id, method, jobs: null };
    return { type: "call", id, method, jobs: null, isJson: true };
  },
};

const MESSAGE = 1;
const END = 2;

/** Codes of the manager's answers. */
export const ANSWER_CODEC: FrameCodec<Answer> = {
  codeOf({ type }) {
    if (type === "message") return MESSAGE;
    return type === "end" ? END : 0;
  },
  frameOf: (code, id) => ({ type: code === MESSAGE ? "message" : "end", id }),
};
