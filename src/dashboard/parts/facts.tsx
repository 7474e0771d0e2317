import type { ComponentChildren, JSX } from "preact";

/** A name and its value; omitted if that is absent. */
export type Fact = readonly [name: string, value: ComponentChildren];

/** Facts as a list of names and values. */
export function Facts({ facts }: { readonly facts: readonly Fact[] }): JSX.Element {
  return (
    <dl class="facts">
      {facts.filter(([, value]) => value !== undefined && value !== null && value !== "").map((
        [name, value],
      ) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
