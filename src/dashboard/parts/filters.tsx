import type { JSX } from "preact";
import { place, setQuery } from "../state/router.ts";
import { overview } from "../live/overview.ts";

/** A field above a list, which then has what contains its text: `text` of the page's URL. */
export function TextSearch({ label }: { readonly label: string }): JSX.Element {
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <input
        type="search"
        class="input"
        aria-label={label}
        placeholder={label}
        data-filter
        value={place.value.query.get("text") ?? ""}
        onInput={(event) => setQuery({ text: event.currentTarget.value })}
      />
    </form>
  );
}

/** A field for jobs, which offers all: `kind` of the page's URL. */
export function KindsField(): JSX.Element {
  return (
    <>
      <input
        type="search"
        class="input"
        aria-label="Jobs"
        placeholder="Jobs"
        list="kinds"
        data-filter
        value={place.value.query.get("kind") ?? ""}
        onChange={(event) => setQuery({ kind: event.currentTarget.value.trim() })}
      />
      <KindList />
    </>
  );
}

/** The jobs that a field with the list "kinds" offers. */
export function KindList(): JSX.Element {
  return (
    <datalist id="kinds">
      {[...overview.kinds.value.keys()].map((kind) => <option key={kind} value={kind} />)}
    </datalist>
  );
}
