import { blockWords } from "../../core/job/limits.ts";
import type { Block } from "../../rpc/gen/job_pb.ts";
import type { PlainRecord } from "../output/plain.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { Printer } from "../output/printer.ts";
import { isoOf } from "../wire.ts";
import { timeText } from "./time_text.ts";

/** The limit that instances wait for, as data. */
export function blockRecord(block: Block): PlainRecord {
  return {
    limit: block.limit,
    name: block.name,
    used: Number(block.used),
    max: Number(block.max),
    opens_at: isoOf(block.opensAt),
  };
}

/** The limit that instances wait for, for people: `concurrency of mail (2 of 2)`. */
export function blockText(block: Block, printer: Printer): string {
  const text = makeVisible(blockWords(block));
  return block.opensAt ? `${text}, until ${timeText(block.opensAt, printer.nowMs)}` : text;
}
