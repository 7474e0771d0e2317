import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { post, remove, segment } from "../api/client.ts";
import { useResource } from "../api/resource.ts";
import { may } from "../state/access.ts";
import { href, place } from "../state/router.ts";
import { change, toastDone } from "../parts/toasts.tsx";
import type {
  Incident,
  ListIncidentsResponse,
  ListSilencesResponse,
  Silence,
} from "../gen/api_types.ts";
import { nowMs } from "../browser/clock.ts";
import { Button } from "../parts/button.tsx";
import { CopyCommand } from "../parts/command.tsx";
import { ask, FormDialog } from "../parts/dialog.tsx";
import { DurationField, TextField } from "../parts/fields.tsx";
import { InstanceLink, JobLink } from "../parts/instance_links.tsx";
import { Empty, Loaded } from "../parts/notes.tsx";
import { Page, Section } from "../parts/page.tsx";
import { Duration, Time } from "../parts/time.tsx";
import { plural } from "../text/format_time.ts";

/** Name of an incident on the command line. */
function incidentWord({ type, name }: Incident): string {
  return type === "job" ? name : name === "" ? type : `${type}:${name}`;
}

function pathOf({ type, name }: Incident): string {
  // The daemon and the store have no name.
  return `/incidents/${segment(type)}/${segment(name === "" ? type : name)}/acknowledge`;
}

async function acknowledge(incident: Incident, isUndo = false): Promise<void> {
  await change(async () => {
    await post(pathOf(incident), { id: incident.id, ...(isUndo ? { undo: true } : {}) });
    if (!isUndo) {
      toastDone("Acknowledged: no more reminders", { undo: () => acknowledge(incident, true) });
    }
  });
}

async function closeIncident(incident: Incident): Promise<void> {
  const isYes = await ask({
    title: "Close the incident?",
    text: "Use this if the problem is over, or will never recover. Nobody is notified.",
    command: ["ack", incidentWord(incident), "--close"],
    verb: "Close it",
  });
  if (!isYes) return;
  await change(async () => {
    await post(pathOf(incident), { id: incident.id, close: true });
    toastDone("The incident is closed");
  });
}

function IncidentCard({ incident }: { readonly incident: Incident }): JSX.Element {
  const { type, name, events, count, opened_at, closed_at, last_error, notified } = incident;
  const isOpen = closed_at === undefined;
  return (
    <li class="card" data-item>
      <div class="card-head">
        <span class={isOpen ? "state tone-bad" : "state tone-off"}>
          {isOpen ? events.join(", ") : "closed"}
        </span>
        {type === "job" ? <JobLink kind={name} isRow /> : <strong>{`${type} ${name}`}</strong>}
        <span class="hint">
          {plural(count, "event")}, opened <Time at={opened_at} />, {isOpen ? "for " : "lasted "}
          <Duration from={opened_at} to={closed_at} />
        </span>
        {isOpen && may("operator") && (
          <span class="line-end">
            {incident.acknowledged_by === undefined
              ? <Button onClick={() => void acknowledge(incident)}>Acknowledge</Button>
              : (
                <span class="hint">
                  acknowledged by <bdi>{incident.acknowledged_by}</bdi>,{" "}
                  <Time at={incident.acknowledged_at} />
                </span>
              )}
            <Button onClick={() => void closeIncident(incident)}>Close…</Button>
          </span>
        )}
      </div>
      {last_error !== undefined && <p class="bad-text">{last_error}</p>}
      <p class="hint">
        {incident.last_instance_id !== undefined && (
          <>
            last instance <InstanceLink id={incident.last_instance_id} />,{" "}
          </>
        )}
        {notified.length === 0 ? "nobody was notified" : `notified ${notified.join(", ")}`}
        {incident.closed_reason !== undefined && `; ${incident.closed_reason}`}
      </p>
    </li>
  );
}

const ENDS: readonly (readonly [hours: string, text: string])[] = [
  ["1", "For an hour"],
  ["4", "For 4 hours"],
  ["24", "For a day"],
  ["168", "For a week"],
];

function SilenceDialog({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const kind = useSignal("");
  const hours = useSignal("1");
  const reason = useSignal("");
  const until = new Date(nowMs() + Number(hours.value) * 3_600_000).toISOString();
  const subject = kind.value === "" ? { all: true } : { kind: kind.value };
  const submit = () =>
    change(async () => {
      await post("/silences", { ...subject, until, reason: reason.value });
      toastDone(`Silenced ${kind.value === "" ? "everything" : kind.value}`, {
        undo: () => endSilence(kind.value === "" ? undefined : kind.value),
      });
    });
  return (
    <FormDialog title="Silence notices" verb="Silence" onSubmit={submit} onClose={onClose}>
      <p class="hint">
        For planned work. Incidents still open and close; when it ends, one summary is sent.
      </p>
      <TextField
        id="silence-kind"
        label="Job"
        hint="empty for everything, which needs an admin"
        value={kind}
      />
      <DurationField id="silence-until" value={hours} choices={ENDS} />
      <TextField id="silence-reason" label="Reason" value={reason} />
      <CopyCommand
        words={[
          "silence",
          kind.value === "" ? "--all" : kind.value,
          "--until",
          `+${hours.value}h`,
        ]}
      />
    </FormDialog>
  );
}

async function endSilence(kind: string | undefined): Promise<void> {
  await change(async () => {
    if (kind === undefined) await remove("/silences", { all: true });
    else await remove(`/silences/${segment(kind)}`);
    toastDone("Notices are sent again");
  });
}

function SilenceLine({ silence }: { readonly silence: Silence }): JSX.Element {
  const { kind, until, reason, by } = silence;
  return (
    <li>
      <strong>{kind ?? "Everything"}</strong>
      <span>
        until <Time at={until} />
      </span>
      <span class="hint">
        by <bdi>{by}</bdi>
      </span>
      {reason !== "" && <bdi class="hint">{reason}</bdi>}
      {may("operator") && (
        <span class="line-end">
          <Button class="plain" onClick={() => void endSilence(kind)}>End it</Button>
        </span>
      )}
    </li>
  );
}

function Silences(): JSX.Element {
  const silences = useResource<ListSilencesResponse>("/silences");
  const isAsking = useSignal(false);
  return (
    <Section
      title="Silences"
      actions={may("operator") && (
        <Button class="plain" onClick={() => isAsking.value = true}>Silence…</Button>
      )}
    >
      <Loaded from={silences}>
        {(data) =>
          data.silences.length === 0
            ? <Empty title="No notices are held back" />
            : (
              <ul class="lines">
                {data.silences.map((one) => <SilenceLine key={one.kind ?? "*"} silence={one} />)}
              </ul>
            )}
      </Loaded>
      {isAsking.value && <SilenceDialog onClose={() => isAsking.value = false} />}
    </Section>
  );
}

/** Open problems, and held notices. */
export function IncidentsPage(): JSX.Element {
  const isAll = place.value.query.has("all");
  const incidents = useResource<ListIncidentsResponse>("/incidents", {
    with_closed: isAll ? true : undefined,
  });
  return (
    <Page
      title="Incidents"
      command={["incidents", ...(isAll ? ["--all"] : [])]}
      actions={
        <a class="button" href={href("/incidents", { all: isAll ? "" : "1" })}>
          {isAll ? "Only open ones" : "Also closed ones"}
        </a>
      }
    >
      <Loaded from={incidents}>
        {(data) =>
          data.incidents.length === 0
            ? (
              <Empty title="No incident is open" command={["incidents", "--all"]}>
                A failing job, a lost node, a full disk or a channel that does not deliver opens
                one. It closes when all is well again.
              </Empty>
            )
            : (
              <ul class="cards">
                {data.incidents.map((one) => <IncidentCard key={one.id} incident={one} />)}
              </ul>
            )}
      </Loaded>
      <Silences />
    </Page>
  );
}
