import type { JSX } from "preact";
import { prettyText } from "../text/argument_text.ts";
import { CopyButton } from "./command.tsx";

/** Values, each with its name, as JSON. */
export function JsonView({ values, names = [], what }: {
  readonly values: readonly unknown[];
  readonly names?: readonly string[];
  /** What they are, such as "arguments". */
  readonly what: string;
}): JSX.Element {
  if (values.length === 0) return <p class="hint">None</p>;
  return (
    <div class="json">
      {values.map((value, index) => (
        <div key={index} class="json-value">
          <span class="json-name">{names[index] ?? `${index + 1}`}</span>
          <pre
            tabIndex={0}
            role="region"
            aria-label={names[index] ?? `${what} ${index + 1}`}
          >{prettyText(value)}</pre>
        </div>
      ))}
      <CopyButton text={prettyText(values)} label={`Copy the ${what}`} />
    </div>
  );
}
