import { makeVisible } from "../../../core/text/safe_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import type { Args } from "../../parsing/args.ts";
import { kindsText } from "../../parsing/query.ts";

/** Options that select by time, each with the word for it. */
const TIMES = [["since", "since"], ["after", "since"], ["until", "until"], ["before", "until"]];

/**
 * The note in place of an empty list: its conditions, and where there may be more.
 *
 * @param noun name of the items, such as "instances"
 * @param command the verb that lists more of them, such as `jobctl list instances`
 * @param none the hint without conditions
 */
export function emptyNote(
  args: Args,
  { noun, command, none }: {
    readonly noun: string;
    readonly command: string;
    readonly none: string;
  },
): string {
  const [kinds, states, tag] = [args.list("kind"), args.list("state"), args.text("tag")];
  const text = args.text("text");
  const times = TIMES.flatMap(([option, word]) => {
    const text = args.text(option!);
    return text === undefined ? [] : [` ${word} ${text}`];
  });
  const inStates = states.length === 0 ? "" : ` in state ${states.join(" or ")}`;
  const withText = text === undefined ? "" : ` with "${text}" in the arguments`;
  const found = `No ${noun}${kindsText(kinds, tag)}${withText}${inStates}${times.join("")}`;
  // The narrowest condition is omitted.
  const options = [
    kinds.map((kind) => ` --kind ${shellWord(kind.replaceAll(",", "\\,"))}`).join(""),
    tag === undefined ? "" : ` --tag ${shellWord(tag)}`,
    text === undefined ? "" : ` --text ${shellWord(text)}`,
    states.length === 0 ? "" : ` --state ${states.map(shellWord).join(",")}`,
    times.length === 0 ? "" : " ",
  ].filter((option) => option !== "");
  const more = options.length === 0
    ? none
    : `More may be in: ${command}${options.slice(0, -1).join("")}`;
  return `${makeVisible(found)}\n${more}`;
}
