import type { JSX } from "preact";
import type { JobState } from "../gen/api_types.ts";
import { STATES } from "../text/instance_state.ts";

/** The state of an instance: mark, word and color. */
export function StateBadge({ state, word: given }: {
  readonly state: JobState;
  /** A more exact word. */
  readonly word?: string;
}): JSX.Element {
  const { word, mark, tone } = STATES[state] ?? { word: state, mark: "○", tone: "wait" };
  return (
    <span class={`state tone-${tone}`}>
      <span aria-hidden="true" class="mark">{mark}</span>
      {given ?? word}
    </span>
  );
}
