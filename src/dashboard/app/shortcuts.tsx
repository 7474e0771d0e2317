import type { JSX } from "preact";
import { isHelpOpen } from "./keyboard.ts";
import { NAVIGATION } from "./navigation_items.ts";
import { Dialog } from "../parts/dialog.tsx";

const KEYS: readonly (readonly [keys: readonly string[], text: string])[] = [
  [["/"], "Search jobs, pages, ids and arguments"],
  [["f"], "Filter the list"],
  [["j"], "Next row"],
  [["k"], "Previous row"],
  [["Enter"], "Open the row"],
  [["x"], "Select the row"],
  [["Esc"], "Close"],
  [["?"], "These shortcuts"],
];

function Keys({ keys }: { readonly keys: readonly string[] }): JSX.Element {
  return <>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</>;
}

/** All shortcuts. */
export function ShortcutsDialog(): JSX.Element {
  return (
    <Dialog title="Keyboard shortcuts" onClose={() => isHelpOpen.value = false} isWide>
      <div class="shortcuts">
        <dl>
          {KEYS.map(([keys, text]) => (
            <div key={text}>
              <dt>
                <Keys keys={keys} />
              </dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
        <dl>
          {NAVIGATION.flat().map(({ key, title }) => (
            <div key={key}>
              <dt>
                <Keys keys={["g", key]} />
              </dt>
              <dd>{title}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  );
}
