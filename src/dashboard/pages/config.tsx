import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { post, remove, segment } from "../api/client.ts";
import { useResource } from "../api/resource.ts";
import { may, seesAll } from "../state/access.ts";
import { change, toastDone } from "../parts/toasts.tsx";
import type {
  Channel,
  GetStatusResponse,
  ListChannelsResponse,
  ListSessionsResponse,
  ReloadConfigResponse,
  Session,
  VersionResponse,
} from "../gen/api_types.ts";
import { Button } from "../parts/button.tsx";
import { Facts } from "../parts/facts.tsx";
import { Empty, Loaded } from "../parts/notes.tsx";
import { Page, Section } from "../parts/page.tsx";
import { ReloadProblem } from "../parts/reload_problem.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Distance, Duration, Time } from "../parts/time.tsx";
import { formatDuration, plural } from "../text/format_time.ts";
import { Settings } from "./settings.tsx";

const CHANNELS: readonly Column<Channel>[] = [
  { title: "Channel", cell: ({ name }) => name },
  { title: "By", cell: ({ to }) => to },
  { title: "Reports", cell: ({ on }) => on.join(", "), kind: "wide" },
  { title: "About", cell: ({ jobs }) => <code>{jobs.join(", ")}</code> },
  {
    title: "Reminds",
    cell: ({ repeat_ms }) => repeat_ms === undefined ? "–" : `every ${formatDuration(repeat_ms)}`,
    kind: "minor",
  },
  { title: "Quiet", cell: ({ quiet }) => quiet.join(", "), kind: "minor" },
  { title: "At most", cell: ({ limit }) => limit, kind: "minor" },
];

async function revoke({ id, name }: Session): Promise<void> {
  await change(async () => {
    await remove(`/sessions/${segment(id)}`);
    toastDone(`The session of ${name} is over`);
  });
}

const SESSIONS: readonly Column<Session>[] = [
  {
    title: "Who",
    cell: ({ name, is_current }) => (
      <>
        {name} {is_current && <span class="state tone-run">this browser</span>}
      </>
    ),
    kind: "wide",
  },
  { title: "Role", cell: ({ role }) => role },
  { title: "From", cell: ({ address }) => <code>{address}</code> },
  { title: "Began", cell: ({ created_at }) => <Time at={created_at} /> },
  { title: "Used", cell: ({ used_at }) => <Distance at={used_at} />, kind: "num" },
  { title: "Ends", cell: ({ expires_at }) => <Distance at={expires_at} />, kind: "num" },
  {
    title: "Actions",
    isUntitled: true,
    cell: (one) => <Button class="plain" onClick={() => void revoke(one)}>End it</Button>,
  },
];

function Reload({ onDone }: { readonly onDone: () => void }): JSX.Element | null {
  const isBusy = useSignal(false);
  if (!may("admin")) return null;
  const reload = async () => {
    isBusy.value = true;
    await change(async () => {
      const done = await post<ReloadConfigResponse>("/config/reload");
      const parts = [
        plural(done.jobs, "job"),
        `${done.added} new`,
        `${done.changed} changed`,
        `${done.removed} removed`,
      ];
      toastDone(`Reloaded: ${parts.join(", ")}`, {
        hint: [
          ...done.problems,
          ...done.restart.length === 0 ? [] : [`Needs a restart: ${done.restart.join(", ")}`],
        ].join("; ") || undefined,
      });
      onDone();
    });
    isBusy.value = false;
  };
  return <Button disabled={isBusy.value} onClick={() => void reload()}>Reload</Button>;
}

function Daemon({ status }: { readonly status: GetStatusResponse }): JSX.Element {
  const version = useResource<VersionResponse>("/version", {}, { watched: [] });
  return (
    <>
      {status.reload_problem !== undefined && (
        <ul class="warnings" aria-label="Problems of the last reload">
          <ReloadProblem status={status} />
        </ul>
      )}
      <Section title="Daemon">
        <Facts
          facts={[
            ["Node", status.node],
            ["Version", status.version],
            ["API", version.data?.api_version],
            ["Up for", <Duration from={status.started_at} />],
            ["Store", `${status.store_type}, ${status.store_location}`],
            ["Workers", status.workers?.count],
            ["Schedules", status.schedules],
            ["Disabled jobs", status.disabled.length],
          ]}
        />
      </Section>
    </>
  );
}

/** The daemon and its configuration, without its secrets, and the logged-in user. */
export function ConfigPage(): JSX.Element {
  const status = useResource<GetStatusResponse>("/status");
  const channels = useResource<ListChannelsResponse>("/channels");
  const sessions = useResource<ListSessionsResponse>("/sessions");
  const reloads = useSignal(0);
  const actions = <Reload onDone={() => reloads.value++} />;
  return (
    <Page title="Config" command={["reload"]} actions={actions}>
      <Loaded from={status}>{(data) => <Daemon status={data} />}</Loaded>
      {may("admin") && seesAll() && <Settings key={reloads.value} />}
      <Section title="Notice channels">
        <Loaded from={channels}>
          {(data) => (
            <Table
              label="Notice channels"
              columns={CHANNELS}
              rows={data.channels}
              keyOf={({ name }) => name}
              empty={
                <Empty title="Nobody is notified" command={["notices", "--help"]}>
                  A section [notices.NAME] in the configuration sends mail, calls a webhook or runs
                  a program when a job fails.
                </Empty>
              }
            />
          )}
        </Loaded>
      </Section>
      <Section title="Browser sessions">
        <Loaded from={sessions}>
          {(data) => (
            <Table
              label="Browser sessions"
              columns={SESSIONS}
              rows={data.sessions}
              keyOf={({ id }) => id}
              empty={
                <Empty title="No browser is logged in" command={["open"]}>
                  This opens the dashboard with a link that works once:
                </Empty>
              }
            />
          )}
        </Loaded>
      </Section>
    </Page>
  );
}
