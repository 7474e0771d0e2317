import { orElse } from "../../core/or_else.ts";
import { describeParameters, summaryOf } from "../../core/arguments/describe_parameters.ts";
import type { Signature } from "../../core/arguments/signature.ts";
import { decodeSignature } from "../../core/arguments/signature_json.ts";
import type { Job } from "../../rpc/gen/job_pb.ts";
import { makeLinesVisible, makeVisible } from "../../core/text/safe_text.ts";
import { displayWidth } from "../output/table.ts";
import { wrap } from "../output/wrap.ts";

/** The signature of a job; null if invalid, or omitted because of very many jobs. */
export function signatureOf(job: Job): Signature | null {
  if (job.signatureJson === "") return null;
  return orElse(() => decodeSignature(JSON.parse(job.signatureJson)), null);
}

/** The summary in the doc comment of a job, as lines for people. */
export function summaryLines({ doc }: Signature): string[] {
  const summary = summaryOf(doc ?? "");
  return summary === "" ? [] : summary.split("\n").map(makeVisible);
}

/**
 * The parameters of a job for people: name, type, if it is required, and its doc comment.
 *
 * @param columns width that the lines fit into; null for no limit
 */
export function signatureLines(signature: Signature, columns: number | null): string[] {
  const { parameters, types, result } = describeParameters(signature);
  const room = columns ?? Infinity;
  const lines: string[] = [];
  if (parameters.length > 0) {
    const rows = parameters.map(({ name, type, need, doc }) =>
      [name, type, need, doc ?? ""].map(makeVisible)
    );
    lines.push("Parameters:", ...parameterLines(rows, room));
  } else {
    lines.push(
      signature.isTyped ? "It takes no arguments." : "Its arguments are passed unchanged.",
    );
  }
  const more = (text: string, hanging: string) => lines.push(...wrap(text, room, { hanging }));
  if (types.length > 0) lines.push("Types:");
  for (const text of types) more(`  ${makeVisible(text)}`, "    ");
  // The caller of the job gets the promise's result.
  const resolved = result === undefined
    ? undefined
    : /^Promise<(.+)>$/s.exec(result)?.[1] ?? result;
  if (resolved !== undefined) more(`Result: ${makeVisible(resolved)}`, "  ");
  for (const { message, line, file } of signature.warnings) {
    const place = file === undefined ? `line ${line}` : `${file}:${line}`;
    more(makeLinesVisible(`Not checked: ${message} (${place})`), "  ");
  }
  return lines;
}

/** A line for each parameter; if one is too long, its parts below each other. */
function parameterLines(rows: readonly (readonly string[])[], room: number): string[] {
  const lines = alignedLines(rows);
  if (lines.every((line) => displayWidth(line) <= room)) return lines;
  const width = Math.max(...rows.map(([name]) => displayWidth(name!)));
  const indent = " ".repeat(width + 2 * GAP.length);
  return rows.flatMap(([name, type, need, doc]) => {
    const texts = [`${type}, ${need}`, doc!].filter((text) => text !== "");
    const [first, ...rest] = texts.flatMap((text) => wrap(text, room - indent.length));
    const space = " ".repeat(width - displayWidth(name!));
    return [GAP + name + space + GAP + first!, ...rest.map((line) => indent + line)];
  });
}

/** Between the parts of a line, and before them. */
const GAP = "  ";

function alignedLines(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, index) =>
    // One very long type must not widen the column of all.
    Math.min(40, Math.max(...rows.map((row) => displayWidth(row[index]!))))
  );
  const padded = (cell: string, index: number) =>
    cell + " ".repeat(Math.max(0, widths[index]! - displayWidth(cell)));
  return rows.map((row) => (GAP + row.map(padded).join(GAP)).trimEnd());
}
