import { options } from "preact";
import { visibleText } from "../text/visible.ts";

/** Attributes that are shown or read aloud. */
const SHOWN = ["title", "aria-label", "placeholder"];

function shown<T>(value: T): T {
  return typeof value === "string" ? visibleText(value) as T : value;
}

/**
 * Keep characters that reorder or hide text out of all texts and titles: names, reasons and errors
 * come from jobs and other people, and must not look like something else. Applied to every element
 * as it is made, so that no page can forget it; values of fields stay unchanged.
 */
export function showOnlyVisibleTexts(): void {
  const before = options.vnode;
  options.vnode = (node) => {
    // A text node has no type, and its text as properties.
    if (node.type === null) node.props = shown(node.props);
    else if (typeof node.type === "string") {
      const props = node.props as Record<string, unknown>;
      for (const name of SHOWN) if (name in props) props[name] = shown(props[name]);
    }
    before?.(node);
  };
}
