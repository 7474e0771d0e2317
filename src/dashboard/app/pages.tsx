import type { JSX } from "preact";
import { href, matchPath, place } from "../state/router.ts";
import { CalendarPage } from "../pages/calendar.tsx";
import { ConfigPage } from "../pages/config.tsx";
import { DocsPage } from "../pages/docs/docs.tsx";
import { IncidentsPage } from "../pages/incidents.tsx";
import { InstancePage } from "../pages/instance/instance.tsx";
import { DeadLettersPage, InstancesPage } from "../pages/instances/instances.tsx";
import { JobPage } from "../pages/jobs/job.tsx";
import { JobsPage } from "../pages/jobs/jobs.tsx";
import { NodesPage } from "../pages/nodes.tsx";
import { NowPage } from "../pages/now.tsx";
import { SchedulesPage } from "../pages/schedules.tsx";
import { StorePage } from "../pages/store.tsx";
import { TimelinePage } from "../pages/timeline/timeline.tsx";
import { Page, type PageProps } from "../parts/page.tsx";

const PAGES: readonly (readonly [pattern: string, page: (props: PageProps) => JSX.Element])[] = [
  ["/", NowPage],
  ["/timeline", TimelinePage],
  ["/calendar", CalendarPage],
  ["/docs", DocsPage],
  ["/jobs", JobsPage],
  ["/jobs/:kind", JobPage],
  ["/schedules", SchedulesPage],
  ["/incidents", IncidentsPage],
  ["/nodes", NodesPage],
  ["/store", StorePage],
  ["/config", ConfigPage],
  ["/instances", InstancesPage],
  ["/instances/:id", InstancePage],
  ["/dead-letters", DeadLettersPage],
];

function NotFound({ path }: { readonly path: string }): JSX.Element {
  return (
    <Page title="There is no such page">
      <p>
        Nothing is at <code>{path}</code>. <a href={href("/")}>Show what happens now</a>
      </p>
    </Page>
  );
}

/** The page of the current path. */
export function CurrentPage(): JSX.Element {
  const { path } = place.value;
  for (const [pattern, Shown] of PAGES) {
    const params = matchPath(pattern, path);
    // Another path is another page: all state is new.
    if (params !== null) return <Shown key={path} params={params} />;
  }
  return <NotFound path={path} />;
}
