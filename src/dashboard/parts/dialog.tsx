import type { ComponentChildren, JSX } from "preact";
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { CopyCommand } from "./command.tsx";
import { Button } from "./button.tsx";

/** A dialog in front of the page; Escape and a click beside it close it. */
export function Dialog({ title, onClose, children, isWide = false }: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  readonly isWide?: boolean;
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={isWide ? "dialog dialog-wide" : "dialog"}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <div class="dialog-body">
        <div class="dialog-head">
          <h2>{title}</h2>
          <Button
            class="plain"
            aria-label="Close"
            onClick={() => dialog.current?.close()}
          >
            ×
          </Button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

/** A dialog whose form does something, and which closes once that is done. */
export function FormDialog({ title, verb, isValid = true, onSubmit, onClose, children }: {
  readonly title: string;
  /** Label of the button that does it. */
  readonly verb: string;
  readonly isValid?: boolean;
  /** Resolves with true once it is done. */
  readonly onSubmit: () => Promise<boolean>;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          if (isValid && await onSubmit()) onClose();
        }}
      >
        {children}
        <div class="dialog-actions">
          <button type="submit" class="button button-main" disabled={!isValid}>{verb}</button>
        </div>
      </form>
    </Dialog>
  );
}

interface Question {
  readonly title: string;
  readonly text: string | JSX.Element;
  /** Label of the button that does it. */
  readonly verb: string;
  readonly isDangerous?: boolean;
  /** The arguments of `jobctl` that do the same. */
  readonly command: readonly string[];
  readonly answer: (isYes: boolean) => void;
}

const question = signal<Question | null>(null);

/** Ask before something that cannot be undone. @returns true if the reader agrees */
export function ask(about: Omit<Question, "answer">): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = {
      ...about,
      answer: (isYes) => {
        question.value = null;
        resolve(isYes);
      },
    };
  });
}

/** The question of {@link ask}. */
export function QuestionDialog(): JSX.Element | null {
  const asked = question.value;
  if (asked === null) return null;
  const { title, text, verb, isDangerous = false, command, answer } = asked;
  return (
    <Dialog title={title} onClose={() => answer(false)}>
      <div class="dialog-text">
        <p>{text}</p>
        <CopyCommand words={command} />
      </div>
      <div class="dialog-actions">
        <Button onClick={() => answer(false)}>Back</Button>
        <Button
          class={isDangerous ? "button button-danger" : "button button-main"}
          onClick={() => answer(true)}
        >
          {verb}
        </Button>
      </div>
    </Dialog>
  );
}
