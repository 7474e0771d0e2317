import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { WORKERS_MAX } from "../../core/job/limits.ts";
import { apiUrl, segment, send } from "../api/client.ts";
import { noteChange, useResource } from "../api/resource.ts";
import { may } from "../state/access.ts";
import { href } from "../state/router.ts";
import { attempt, toastDone } from "../parts/toasts.tsx";
import type { ListNodesResponse, Node } from "../gen/api_types.ts";
import { Button } from "../parts/button.tsx";
import { CopyCommand } from "../parts/command.tsx";
import { FormDialog } from "../parts/dialog.tsx";
import { Empty, Loaded } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Distance, Duration } from "../parts/time.tsx";
import { formatDuration, plural } from "../text/format_time.ts";

const TONES: Readonly<Record<string, string>> = {
  live: "good",
  draining: "late",
  skewed: "bad",
  left: "off",
  lost: "bad",
};

function ResizeDialog({ node, onClose }: {
  readonly node: Node;
  readonly onClose: () => void;
}): JSX.Element {
  const before = node.wanted_workers ?? node.workers;
  const count = useSignal(String(before));
  const wanted = Number(count.value);
  const isValid = /^\d+$/.test(count.value) && wanted <= WORKERS_MAX;
  const resize = async (to: number) => {
    await send("PUT", apiUrl(`/nodes/${segment(node.id)}/workers`), { body: { count: to } });
    noteChange();
  };
  const submit = () =>
    attempt(async () => {
      await resize(wanted);
      toastDone(`${node.id} gets ${plural(wanted, "worker")}`, { undo: () => resize(before) });
    });
  return (
    <FormDialog
      title={`Workers of ${node.id}`}
      verb="Change"
      isValid={isValid}
      onSubmit={submit}
      onClose={onClose}
    >
      <div class="field">
        <label for="workers">
          How many attempts run at once <span class="hint">until the next start</span>
        </label>
        <input
          id="workers"
          class="input input-wide"
          inputMode="numeric"
          aria-invalid={!isValid}
          value={count.value}
          onInput={(event) => count.value = event.currentTarget.value}
        />
      </div>
      <CopyCommand words={["workers", "scale", count.value, "--node", node.id]} />
    </FormDialog>
  );
}

function columns(onResize: (node: Node) => void): readonly Column<Node>[] {
  return [
    {
      title: "Node",
      cell: ({ id }) => (
        <a data-row href={href("/instances", { node: id, state: "processing" })}>{id}</a>
      ),
    },
    {
      title: "State",
      cell: ({ state }) => <span class={`state tone-${TONES[state] ?? "off"}`}>{state}</span>,
    },
    {
      title: "Workers busy",
      cell: ({ busy, workers }) => (
        <span class="rate">
          <meter min={0} max={Math.max(1, workers)} value={busy} aria-label="Workers busy" />
          <span class="num">{`${busy} / ${workers}`}</span>
        </span>
      ),
    },
    { title: "Up for", cell: ({ started_at }) => <Duration from={started_at} />, kind: "num" },
    { title: "Seen", cell: ({ seen_at }) => <Distance at={seen_at} />, kind: "num" },
    { title: "Jobs", cell: ({ kind_count }) => kind_count, kind: "num" },
    { title: "Tags", cell: ({ tags }) => tags.join(", ") },
    {
      title: "Clock",
      cell: ({ skew_ms }) => skew_ms === undefined ? "" : formatDuration(skew_ms),
      kind: "num",
    },
    { title: "Version", cell: ({ version }) => version, kind: "minor" },
    { title: "Host", cell: ({ host, pid }) => `${host} (${pid})`, kind: "minor" },
    {
      title: "Actions",
      isUntitled: true,
      cell: (node) =>
        may("admin") && node.state === "live" && (
          <Button
            class="plain"
            onClick={() => onResize(node)}
          >
            Workers…
          </Button>
        ),
    },
  ];
}

/** The daemons on the store. */
export function NodesPage(): JSX.Element {
  const resizing = useSignal<Node | null>(null);
  const nodes = useResource<ListNodesResponse>("/nodes");
  return (
    <Page
      title="Nodes"
      about={nodes.data !== null && plural(nodes.data.nodes.length, "node")}
      command={["list", "nodes"]}
    >
      <Loaded from={nodes}>
        {(data) => (
          <Table
            label="Nodes"
            columns={columns((node) => resizing.value = node)}
            rows={data.nodes}
            keyOf={({ id, session }) => `${id} ${session}`}
            empty={
              <Empty title="No node is known">
                Each daemon on the store is a node. With SQLite there is one, with Valkey or etcd
                any number.
              </Empty>
            }
          />
        )}
      </Loaded>
      {resizing.value !== null && (
        <ResizeDialog
          node={resizing.value}
          onClose={() => resizing.value = null}
        />
      )}
    </Page>
  );
}
