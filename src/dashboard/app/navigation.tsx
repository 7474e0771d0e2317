import type { JSX } from "preact";
import { NAVIGATION } from "./navigation_items.ts";
import { href, place } from "../state/router.ts";

/** An icon of lines. */
function Icon({ path }: { readonly path: string }): JSX.Element {
  return (
    <svg viewBox="0 0 20 20" class="icon" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

function isWithin(path: string, item: string): boolean {
  return item === "/" ? path === "/" : path === item || path.startsWith(`${item}/`);
}

/** The list of pages. */
export function Navigation(): JSX.Element {
  const { path } = place.value;
  return (
    <nav class="nav" aria-label="Pages">
      {NAVIGATION.map((group) => (
        <ul key={group[0]!.path}>
          {group.map((item) => (
            <li key={item.path}>
              <a
                href={href(item.path)}
                aria-current={isWithin(path, item.path) ? "page" : undefined}
              >
                <Icon path={item.icon} />
                {item.title}
              </a>
            </li>
          ))}
        </ul>
      ))}
    </nav>
  );
}
