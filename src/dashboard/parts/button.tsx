import type { ComponentProps, JSX } from "preact";

/** A button that does something on this page. It sends no form. */
export function Button({ class: look = "button", ...rest }: ComponentProps<"button">): JSX.Element {
  return <button type="button" class={look} {...rest} />;
}
