import { errorCode, messageOf } from "../../core/errors.ts";

/** Longest text of a problem without words of ours, in characters. */
const TEXT_LENGTH_MAX = 300;

/** Why a host was not found or a connection failed, in words for the end of a sentence. */
export function connectionProblem(error: unknown): string {
  switch (errorCode(error)) {
    case "ECONNREFUSED":
      return "connection refused";
    case "ECONNRESET":
    case "EPIPE":
      return "connection reset";
    case "ETIMEDOUT":
      return "no response";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "no route to the host";
    case "ENOTFOUND":
    case "ENODATA":
      return "no such host";
    case "EAI_AGAIN":
      return "the name server does not respond";
    default:
      // On Node, messages of OpenSSL end with a line break.
      return messageOf(error).trim().split("\n", 1)[0]!.slice(0, TEXT_LENGTH_MAX);
  }
}
