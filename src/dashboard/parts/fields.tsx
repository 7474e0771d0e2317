import type { JSX } from "preact";
import type { Signal } from "@preact/signals";

/** A choice of a dialog: the time until an action ends. */
export function DurationField({ id, value, choices }: {
  readonly id: string;
  readonly value: Signal<string>;
  readonly choices: readonly (readonly [value: string, text: string])[];
}): JSX.Element {
  return (
    <div class="field">
      <label for={id}>How long</label>
      <select
        id={id}
        class="select input-wide"
        value={value.value}
        onChange={(event) => value.value = event.currentTarget.value}
      >
        {choices.map(([of, text]) => <option key={of} value={of}>{text}</option>)}
      </select>
    </div>
  );
}

/** One line of text in a dialog. */
export function TextField({ id, label, hint, value }: {
  readonly id: string;
  readonly label: string;
  readonly hint?: string;
  readonly value: Signal<string>;
}): JSX.Element {
  return (
    <div class="field">
      <label for={id}>
        {label}
        {hint !== undefined && (
          <>
            <span class="hint">{hint}</span>
          </>
        )}
      </label>
      <input
        id={id}
        class="input input-wide"
        value={value.value}
        onInput={(event) => value.value = event.currentTarget.value}
      />
    </div>
  );
}
