import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { isSearchOpen } from "./keyboard.ts";
import { NAVIGATION } from "./navigation_items.ts";
import { go, href } from "../state/router.ts";
import { get, segment } from "../api/client.ts";
import { after } from "../browser/clock.ts";
import type { ListRegisteredJobsResponse } from "../gen/api_types.ts";
import { Dialog } from "../parts/dialog.tsx";

interface Found {
  readonly url: string;
  readonly title: string;
  readonly about: string;
}

/** Most jobs that a search shows. */
const JOBS_MAX = 8;
/** Pause in typing after which jobs are looked up, in milliseconds. */
const TYPING_MS = 120;

function pagesFor(text: string): Found[] {
  const wanted = text.toLowerCase();
  return NAVIGATION.flat().filter(({ title }) => title.toLowerCase().includes(wanted))
    .map(({ path, title }) => ({ url: href(path), title, about: "page" }));
}

/** An instance by the first characters of its id. */
function instanceFor(text: string): Found[] {
  if (!/^[0-9a-f]{4,8}(-[0-9a-f-]{0,27})?$/i.test(text)) return [];
  return [{ url: href(`/instances/${segment(text)}`), title: text, about: "instance" }];
}

/** The instances whose arguments contain a text, such as an order number. */
function instancesWith(text: string): Found[] {
  if (text === "") return [];
  return [{
    url: href("/instances", { text }),
    title: `Instances with “${text}” in their arguments`,
    about: "instances",
  }];
}

function moveFocus(event: KeyboardEvent, list: HTMLElement | null): void {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0 || list === null) return;
  event.preventDefault();
  const stops = [...list.querySelectorAll<HTMLElement>("input, a")];
  const at = stops.indexOf(document.activeElement as HTMLElement);
  stops[Math.min(stops.length - 1, Math.max(0, at + step))]?.focus();
}

/** Find a page, a job, an instance, or instances by their arguments. */
export function SearchDialog(): JSX.Element {
  const text = useSignal("");
  const jobs = useSignal<readonly Found[]>([]);
  const wanted = text.value.trim();
  useEffect(() => {
    const abort = new AbortController();
    const cancel = after(TYPING_MS, () => {
      get<ListRegisteredJobsResponse>(
        "/jobs",
        { kind_prefix: wanted, limit: JOBS_MAX },
        abort.signal,
      ).then((response) => {
        jobs.value = response.jobs.map(({ kind, description }) => ({
          url: href(`/jobs/${segment(kind)}`),
          title: kind,
          about: description === "" ? "job" : description,
        }));
      }, () => jobs.value = []);
    });
    return () => {
      cancel();
      abort.abort();
    };
  }, [wanted]);
  const found = [
    ...instanceFor(wanted),
    ...jobs.value,
    ...pagesFor(wanted),
    ...instancesWith(wanted),
  ];
  const open = (url: string) => {
    isSearchOpen.value = false;
    go(url);
  };
  return (
    <Dialog title="Search" onClose={() => isSearchOpen.value = false}>
      <form
        class="search"
        onKeyDown={(event) => moveFocus(event, event.currentTarget)}
        onSubmit={(event) => {
          event.preventDefault();
          if (found[0] !== undefined) open(found[0].url);
        }}
      >
        <input
          // A field of type "search" takes the first Escape, which should close the dialog.
          type="text"
          class="input"
          aria-label="A job, a page, an id, or text in arguments"
          placeholder="A job, a page, an id, or text in arguments"
          autocomplete="off"
          spellcheck={false}
          autofocus
          value={text.value}
          onInput={(event) => text.value = event.currentTarget.value}
        />
        <ul class="search-results">
          {found.map(({ url, title, about }) => (
            <li key={url}>
              <a
                href={url}
                onClick={(event) => {
                  event.preventDefault();
                  open(url);
                }}
              >
                <span class="search-title">{title}</span>
                <span class="search-about">{about}</span>
              </a>
            </li>
          ))}
        </ul>
      </form>
    </Dialog>
  );
}
