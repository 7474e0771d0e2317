import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useResource } from "../api/resource.ts";
import type { GetConfigResponse, Setting } from "../gen/api_types.ts";
import { Empty, Loaded } from "../parts/notes.tsx";
import { Section } from "../parts/page.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { valueText } from "../text/argument_text.ts";

const COLUMNS: readonly Column<Setting>[] = [
  { title: "Key", cell: ({ path }) => <code>{path}</code> },
  {
    title: "Value",
    cell: ({ value }) => <code class="whole">{valueText(value)}</code>,
    kind: "wide",
  },
  {
    title: "From",
    cell: ({ origin }) =>
      origin === undefined ? <span class="none">default</span> : <code>{origin}</code>,
    kind: "minor",
  },
];

/** Settings whose key, value or origin has a text; without a text, all that are not defaults. */
function matching(settings: readonly Setting[], text: string): readonly Setting[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return settings.filter(({ origin }) => origin !== undefined);
  return settings.filter(({ path, value, origin = "default" }) =>
    `${path} ${valueText(value)} ${origin}`.toLowerCase().includes(wanted)
  );
}

function Shown({ config }: { readonly config: GetConfigResponse }): JSX.Element {
  const text = useSignal("");
  const { settings, file, has_more, restart } = config;
  const rows = matching(settings, text.value);
  return (
    <>
      {restart.length > 0 && (
        <ul class="warnings">
          <li>{`Changed since the start, and applies after a restart: ${restart.join(", ")}`}</li>
        </ul>
      )}
      <p class="hint">
        {file === undefined ? "There is no file." : (
          <>
            From <code>{file}</code>.
          </>
        )} Secrets are shown as ***. Search also finds the defaults.
        {has_more && " The tables of jobs are too many to list."}
      </p>
      <p class="settings-search">
        <input
          type="search"
          class="input input-wide"
          aria-label="Search the settings"
          placeholder="Search the settings"
          data-filter
          value={text.value}
          onInput={(event) => text.value = event.currentTarget.value}
        />
      </p>
      {rows.length === 0
        ? (
          <Empty title={text.value === "" ? "All settings are defaults" : "No setting matches"}>
            A key, a value, a file, or "default" can be searched for.
          </Empty>
        )
        : (
          <div class="settings">
            <Table label="Settings" columns={COLUMNS} rows={rows} keyOf={({ path }) => path} />
          </div>
        )}
    </>
  );
}

/** The values of the configuration and their sources, for an admin of all jobs. */
export function Settings(): JSX.Element {
  const config = useResource<GetConfigResponse>("/config", {}, { watched: [] });
  return (
    <Section title="Settings">
      <Loaded from={config}>{(data) => <Shown config={data} />}</Loaded>
    </Section>
  );
}
