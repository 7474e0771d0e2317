import type { ComponentChildren, JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { session } from "../state/access.ts";
import { isHelpOpen, isSearchOpen } from "./keyboard.ts";
import { liveState } from "../live/overview.ts";
import { href, place, visits } from "../state/router.ts";
import { SearchDialog } from "./search.tsx";
import { type Theme, theme, type ZoneChoice, zoneChoice } from "../state/settings.ts";
import { Toasts } from "../parts/toasts.tsx";
import { isLoggedOut } from "../api/client.ts";
import { BASE } from "../browser/base_path.ts";
import { Button } from "../parts/button.tsx";
import { CopyCommand } from "../parts/command.tsx";
import { Dialog, QuestionDialog } from "../parts/dialog.tsx";
import { pageCommand } from "../parts/page.tsx";
import { NAVIGATION } from "./navigation_items.ts";

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
function ShortcutsDialog(): JSX.Element {
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

function Navigation(): JSX.Element {
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

const LIVE: Readonly<Record<string, { readonly word: string; readonly text: string }>> = {
  connecting: { word: "Connecting", text: "Connecting to the daemon" },
  open: { word: "Live", text: "Changes appear as they happen" },
  broken: { word: "Reconnecting", text: "The connection was lost; trying again" },
  ended: { word: "Not live", text: "Live updates are off; reload the page to see changes" },
};

function LiveMark(): JSX.Element {
  const { word, text } = LIVE[liveState.value]!;
  return (
    <span class={`live live-${liveState.value}`} role="status" title={text}>
      <span class="live-dot" aria-hidden="true" />
      {word}
    </span>
  );
}

const THEMES: Readonly<Record<Theme, string>> = {
  system: "System",
  light: "Light",
  dark: "Dark",
};
const ZONES: Readonly<Record<ZoneChoice, string>> = {
  local: "Local time",
  utc: "UTC",
  job: "Job's zone",
};

function Choice<T extends string>({ label, values, value, onChange }: {
  readonly label: string;
  readonly values: Readonly<Record<T, string>>;
  readonly value: T;
  readonly onChange: (value: T) => void;
}): JSX.Element {
  return (
    <select
      class="select"
      aria-label={label}
      title={label}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value as T)}
    >
      {Object.entries<string>(values).map(([name, text]) => (
        <option key={name} value={name}>{text}</option>
      ))}
    </select>
  );
}

function TopBar({ isMenuOpen, onMenu }: {
  readonly isMenuOpen: boolean;
  readonly onMenu: () => void;
}): JSX.Element {
  return (
    <header class="bar">
      <Button
        class="plain menu-button"
        aria-expanded={isMenuOpen}
        aria-controls="side"
        aria-label="Pages"
        onClick={onMenu}
      >
        ☰
      </Button>
      <a class="brand" href={href("/")}>jobctl</a>
      <Button
        class="search-button"
        aria-label="Search"
        onClick={() => isSearchOpen.value = true}
      >
        <span>Search</span>
        <kbd aria-hidden="true">/</kbd>
      </Button>
      <span class="bar-gap" />
      <LiveMark />
      <Choice
        label="Time zone"
        values={ZONES}
        value={zoneChoice.value}
        onChange={(value) => zoneChoice.value = value}
      />
      <Choice
        label="Theme"
        values={THEMES}
        value={theme.value}
        onChange={(value) => theme.value = value}
      />
      {session.value && (
        <form method="post" action={`${BASE}logout`} class="logout">
          <button
            type="submit"
            class="plain"
            title={`${session.value.name}, ${session.value.role}`}
          >
            Log out
          </button>
        </form>
      )}
      <Button
        class="plain help-button"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts"
        onClick={() => isHelpOpen.value = true}
      >
        ?
      </Button>
    </header>
  );
}

/** Lead to the login when the session is over, and back afterwards. */
function useLogin(): void {
  const isOut = isLoggedOut.value;
  useEffect(() => {
    if (!isOut) return;
    const next = `${location.pathname}${location.search}`;
    location.assign(`${BASE}login?${new URLSearchParams({ next })}`);
  }, [isOut]);
}

/** Everything around a page. */
export function Shell({ children }: { readonly children: ComponentChildren }): JSX.Element {
  useLogin();
  const isMenuOpen = useSignal(false);
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const visit = visits.value;
  const { path } = place.value;
  useEffect(() => {
    isMenuOpen.value = false;
    if (isFirst.current) {
      isFirst.current = false;
      return;
    }
    // Screen readers then read the new title, and Tab continues there.
    scrollTo(0, 0);
    (main.current?.querySelector<HTMLElement>("h1") ?? main.current)?.focus();
  }, [visit, path]);
  return (
    <>
      <a class="skip" href="#main" data-plain>Skip to the content</a>
      <TopBar
        isMenuOpen={isMenuOpen.value}
        onMenu={() => isMenuOpen.value = !isMenuOpen.value}
      />
      <div class={isMenuOpen.value ? "side side-open" : "side"} id="side">
        <Navigation />
      </div>
      <main id="main" tabIndex={-1} ref={main}>{children}</main>
      <footer class="foot" aria-label="The same on the command line">
        {pageCommand.value === null
          ? <p class="hint">No command for this filter</p>
          : pageCommand.value.length > 0 && <CopyCommand words={pageCommand.value} />}
      </footer>
      <Toasts />
      <QuestionDialog />
      {isHelpOpen.value && <ShortcutsDialog />}
      {isSearchOpen.value && <SearchDialog />}
    </>
  );
}
