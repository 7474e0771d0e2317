import { LOG_LEVELS, type LogEntry, type LogLevel } from "../../core/instance.ts";
import { LINE_BYTES_MAX, pieceSize } from "./line_splitter.ts";

/**
 * One line of a worker's output with its level, source and time. It is part of the worker's stdout,
 * so that lines keep their order and survive the worker's end.
 */
export interface OutputRecord {
  /** The run that wrote it; code that a run left behind may write during a later one. */
  readonly run: number;
  readonly level: LogLevel;
  readonly source: LogEntry["source"];
  /** Epoch ms. */
  readonly at: number;
  readonly text: string | Uint8Array;
}

/** Longest encoded record, in bytes: a message with every character escaped, and its head. */
export const RECORD_BYTES_MAX = 2 * LINE_BYTES_MAX + 200;

const SOURCES: readonly LogEntry["source"][] = ["stdout", "stderr", "job", "system"];

/** The start of each record; `token` is unguessable, so no other output starts like this. */
export function recordPrefix(token: string): string {
  return `\x1e${token}:`;
}

/** The line that ends the output of a run. */
export function endMarker(token: string, run: number): string {
  return `\x1e${token}.${run}\x1e\n`;
}

/** Lines of text as records, long ones in pieces of {@link LINE_BYTES_MAX}. */
export function encodeLines(prefix: string, record: OutputRecord & { text: string }): string {
  const head = headOf(prefix, record);
  if (record.text.length * 3 <= LINE_BYTES_MAX && !record.text.includes("\n")) {
    return `${head}${record.text}\n`;
  }
  return record.text.split("\n").flatMap(pieces).map((line) => `${head}${line}\n`).join("");
}

/** A message of any content as one record; at most {@link LINE_BYTES_MAX} bytes long. */
export function encodeMessage(prefix: string, record: OutputRecord & { text: string }): string {
  const text = record.text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `${headOf(prefix, record)}${text}\n`;
}

function headOf(prefix: string, { run, level, source, at }: OutputRecord): string {
  return `${prefix}${run} ${SOURCES.indexOf(source)}${LOG_LEVELS.indexOf(level)} ${at} `;
}

function pieces(line: string): string[] {
  if (line.length * 3 <= LINE_BYTES_MAX) return [line];
  let rest = Buffer.from(line);
  const found: string[] = [];
  while (rest.length > LINE_BYTES_MAX) {
    const size = pieceSize(rest);
    found.push(rest.toString("utf8", 0, size));
    rest = rest.subarray(size);
  }
  found.push(rest.toString());
  return found;
}

const HEAD = /^(\d+) (\d)(\d) (\d+) /;
/** Longest head, in bytes: three numbers and their separators. */
const HEAD_BYTES_MAX = 48;

/** Decode a line whose record prefix was removed; null if it is not a record. */
export function decodeRecord(line: Buffer): OutputRecord | null {
  const match = HEAD.exec(line.toString("latin1", 0, HEAD_BYTES_MAX));
  const source = SOURCES[Number(match?.[2])];
  const level = LOG_LEVELS[Number(match?.[3])];
  if (!match || !source || !level) return null;
  const text = line.subarray(match[0].length);
  return {
    run: Number(match[1]),
    level,
    source,
    at: Number(match[4]),
    text: source === "job" || source === "system" ? unescape(text.toString()) : text,
  };
}

function unescape(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replaceAll(/\\([\\n])/g, (_, character) => character === "n" ? "\n" : "\\");
}
