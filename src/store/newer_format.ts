import { JobError } from "../core/errors.ts";
import { VERSION } from "../platform/version.ts";

/** Longest version that is repeated from foreign data, in characters. */
const VERSION_CHARS_MAX = 40;

/**
 * The refusal of data that a newer version of the program made.
 *
 * @param about.what beginning of the message: the refused data
 * @param about.format its format
 * @param about.known the newest format that this version knows
 * @param about.madeBy the first version with its format, according to the data; any other value if
 * missing
 */
export function newerFormat(
  about: {
    readonly what: string;
    readonly format: number;
    readonly known: number;
    readonly madeBy: unknown;
  },
  code: "conflict" | "unavailable",
  path?: string,
): JobError {
  const { what, format, known, madeBy } = about;
  const isNamed = typeof madeBy === "string" && madeBy.length <= VERSION_CHARS_MAX &&
    /^\d[\w.+-]*$/.test(madeBy);
  const maker = isNamed ? ` of jobctl ${madeBy}` : "";
  return new JobError(
    code,
    `${what}: it has format ${format}${maker}; this is jobctl ${VERSION}, which knows formats up to ${known}`,
    {
      hint: `Use jobctl ${
        isNamed ? madeBy : "of the version that wrote it"
      } or newer. To go back, restore a backup from before the upgrade into an empty store`,
      ...path === undefined ? {} : { path },
    },
  );
}
