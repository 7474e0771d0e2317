import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";

/** The words of the `jobctl` command that matches the page; null without one. */
export const pageCommand = signal<readonly string[] | null>([]);

/** Inputs of a page: the parameters of its path, decoded. */
export interface PageProps {
  readonly params: Readonly<Record<string, string>>;
}

interface FrameProps {
  readonly title: string;
  /** Shown beside the title. */
  readonly about?: ComponentChildren;
  readonly actions?: ComponentChildren;
  /** The equivalent arguments of `jobctl`; null if no command has the page's filter. */
  readonly command?: readonly string[] | null;
  readonly children: ComponentChildren;
}

/** The frame of every page: title, actions, and the equivalent command. */
export function Page({ title, about, actions, command = [], children }: FrameProps): JSX.Element {
  const words = command?.join("\0");
  useEffect(() => {
    document.title = `${title} · jobctl`;
    pageCommand.value = command;
  }, [title, words]);
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>{title}</h1>
        {about !== undefined && <div class="page-about">{about}</div>}
        {actions !== undefined && <div class="page-actions">{actions}</div>}
      </div>
      {children}
    </>
  );
}

/** A part of a page, with a heading. */
export function Section({ title, actions, children, id }: {
  readonly title: string;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
  readonly id?: string;
}): JSX.Element {
  return (
    <section class="section" id={id}>
      <div class="section-head">
        <h2>{title}</h2>
        {actions !== undefined && <div class="section-actions">{actions}</div>}
      </div>
      {children}
    </section>
  );
}
