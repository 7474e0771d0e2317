import type { JSX } from "preact";
import { href } from "../state/router.ts";
import { segment } from "../api/client.ts";
import { shortId } from "../text/instance_state.ts";

/** A link to an instance. */
export function InstanceLink({ id, isRow = false }: {
  readonly id: string;
  /** True for the link that opens a row of a list. */
  readonly isRow?: boolean;
}): JSX.Element {
  return (
    <a
      class="id"
      href={href(`/instances/${segment(id)}`)}
      title={id}
      data-row={isRow ? true : undefined}
    >
      {shortId(id)}
    </a>
  );
}

/** A link to a job. */
export function JobLink({ kind, isRow = false }: {
  readonly kind: string;
  readonly isRow?: boolean;
}): JSX.Element {
  return (
    <a class="kind" href={href(`/jobs/${segment(kind)}`)} data-row={isRow ? true : undefined}>
      {kind}
    </a>
  );
}
