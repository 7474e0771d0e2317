import type { ComponentChildren, JSX } from "preact";
import type { Problem } from "../api/problem.ts";
import type { Resource } from "../api/resource.ts";
import { CopyCommand } from "./command.tsx";
import { Button } from "./button.tsx";

/** Meaning of an empty list, and how to fill it. */
export function Empty({ title, children, command }: {
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly command?: readonly string[];
}): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <p>{children}</p>}
      {command !== undefined && <CopyCommand words={command} />}
    </div>
  );
}

/** Why something could not be loaded. */
function ProblemNote({ problem, onRetry }: {
  readonly problem: Problem;
  readonly onRetry?: () => void;
}): JSX.Element {
  return (
    <div class="problem" role="alert">
      <p>{problem.message}</p>
      {problem.hint !== undefined && <p class="hint">{problem.hint}</p>}
      {onRetry !== undefined && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}

/** The content of a resource, or the reason for its absence. */
export function Loaded<T>({ from, children }: {
  readonly from: Resource<T>;
  readonly children: (data: T) => ComponentChildren;
}): JSX.Element {
  const { data, problem, reload } = from;
  return (
    <>
      {problem !== null && <ProblemNote problem={problem} onRetry={reload} />}
      {data !== null ? children(data) : problem === null && <Skeleton />}
    </>
  );
}

/** Placeholder for content that will appear. */
export function Skeleton({ isIdle = false }: { readonly isIdle?: boolean }): JSX.Element {
  if (isIdle) return <p class="hint">The daemon does not send this.</p>;
  return <div class="skeleton" aria-label="Loading" role="img" />;
}
