import { errorCode, JobError, messageOf } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { readRegularFile } from "./read_file.ts";
import { trustProblem } from "./trusted_path.ts";

const REVOKED_BYTES_MAX = 16 * 1024 * 1024;
const HINT = "Write one per line: its serial number or its SHA-256 fingerprint";

/**
 * Certificates by serial number or SHA-256 fingerprint, one per line, optionally in openssl's
 * format: `serial=0A1B`, `sha256 Fingerprint=AB:CD:…`. Empty lines and comments after "#" are
 * ignored.
 *
 * @throws JobError `invalid_config` naming the file
 */
export function readRevoked(path: string): ReadonlySet<string> {
  const refuse = (problem: string, hint = HINT) =>
    new JobError(
      "invalid_config",
      `Cannot use the list of revoked certificates "${path}": ${problem}`,
      { hint, path: "server.tls.revoked" },
    );
  const problem = trustProblem(path);
  if (problem?.isFatal) throw refuse(problem.message, problem.hint);
  let text: string;
  try {
    const found = readRegularFile(path, REVOKED_BYTES_MAX);
    if (found === null) throw new Error(`it has more than ${REVOKED_BYTES_MAX} bytes`);
    text = found.bytes.toString("utf8");
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw refuse(messageOf(error));
    throw refuse("no such file", `Make it, empty at first: touch ${shellWord(path)}`);
  }
  const revoked = new Set<string>();
  for (const [index, line] of text.split("\n").entries()) {
    const content = line.replace(/#.*$/, "").trim();
    if (content === "") continue;
    const digits = content.replace(/^(serial|sha256 fingerprint) *= */i, "").replaceAll(":", "");
    const isRight = /^[0-9a-f]{1,40}$/i.test(digits) || /^[0-9a-f]{64}$/i.test(digits);
    if (!isRight) {
      throw refuse(`line ${index + 1} is neither a serial number nor a SHA-256 fingerprint`);
    }
    revoked.add(normalDigits(digits));
  }
  return revoked;
}

/** The normalized form of a serial number or fingerprint. */
export function normalDigits(digits: string): string {
  const text = digits.replaceAll(":", "").toLowerCase();
  return text.length === 64 ? text : text.replace(/^0+(?=.)/, "");
}
