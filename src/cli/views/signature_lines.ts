import { describeParameters, summaryOf } from "../../core/arguments/describe_parameters.ts";
import type { Signature } from "../../core/arguments/signature.ts";
import type { Job } from "../../rpc/gen/job_pb.ts";
import { makeLinesVisible, makeVisible } from "../../core/text/safe_text.ts";
import { displayWidth } from "../output/table.ts";

/** The signature of a job; null if invalid, or left out as with very many jobs. */
export function signatureOf(job: Job): Signature | null {
  if (job.signatureJson === "") return null;
  try {
    const signature = JSON.parse(job.signatureJson) as Partial<Signature>;
    return Array.isArray(signature.parameters) && Array.isArray(signature.warnings)
      ? signature as Signature
      : null;
  } catch {
    return null;
  }
}

/** The summary in the doc comment of a job, as lines for people. */
export function summaryLines({ doc }: Signature): string[] {
  const summary = summaryOf(doc ?? "");
  return summary === "" ? [] : summary.split("\n").map(makeVisible);
}

/** The parameters of a job for people: name, type, if it is required, and its doc comment. */
export function signatureLines(signature: Signature): string[] {
  const { parameters, types, result } = describeParameters(signature);
  const lines: string[] = [];
  if (parameters.length > 0) {
    const rows = parameters.map(({ name, type, need, doc }) =>
      [name, type, need, doc ?? ""].map(makeVisible)
    );
    lines.push("Parameters:", ...columns(rows));
  } else {
    lines.push(
      signature.isTyped ? "It takes no arguments." : "Its arguments are passed unchanged.",
    );
  }
  if (types.length > 0) {
    lines.push("Types:", ...types.map((text) => `  ${makeVisible(text)}`));
  }
  if (result !== undefined) lines.push(`Result: ${makeVisible(result)}`);
  for (const { message, line, file } of signature.warnings) {
    const place = file === undefined ? `line ${line}` : `${file}:${line}`;
    lines.push(makeLinesVisible(`Not checked: ${message} (${place})`));
  }
  return lines;
}

/** Rows of cells under each other, two spaces apart. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, index) =>
    // One very long type must not widen the column for all.
    Math.min(40, Math.max(...rows.map((row) => displayWidth(row[index]!))))
  );
  return rows.map((row) =>
    `  ${
      row.map((cell, index) => cell + " ".repeat(Math.max(0, widths[index]! - displayWidth(cell))))
        .join("  ")
    }`.trimEnd()
  );
}
