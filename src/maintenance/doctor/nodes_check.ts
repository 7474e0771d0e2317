import { formatDuration } from "../../core/time/duration.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { type Finding, findingsOf } from "./finding.ts";
import type { DaemonFacts, NodeFacts } from "./facts.ts";

/** The nodes on the store, and this program. */
export interface NodesFacts {
  readonly daemon: DaemonFacts;
  /** Version of this program. */
  readonly version: string;
  /** The command that restarts the daemon. */
  readonly restart: string;
}

const ENDED = ["left", "lost"];
const SHOWN_MAX = 5;

/** Judge versions and clocks of the nodes that run. */
export function checkNodes({ daemon, version, restart }: NodesFacts): Finding[] {
  const { ok, note, warning } = findingsOf("nodes");
  const live = daemon.nodes.filter(({ state }) => !ENDED.includes(state));
  const findings: Finding[] = [];
  if (daemon.version !== version) {
    const text = `the daemon runs version ${daemon.version}, this program is ${version}`;
    findings.push(warning(text, restart));
  }
  const versions = byMember(live, (node) => node.version);
  if (versions.size > 1) {
    const text = `${versions.size} versions run on the store: ${listText(versions)}`;
    findings.push(
      warning(text, `upgrade the older ones (jobctl list nodes), and restart their daemons`),
    );
  }
  for (const { id, host, state, skewMs } of live) {
    if (state !== "skewed") continue;
    const by = skewMs === null
      ? "is wrong"
      : `is ${formatDuration(Math.abs(skewMs))} ${skewMs < 0 ? "behind" : "ahead"}`;
    findings.push(
      warning(
        `the clock of node ${id} ${by}: it claims nothing`,
        `on ${shellWord(host)}: sudo chronyc makestep`,
      ),
    );
  }
  const zones = byMember(live, (node) => node.tzVersion);
  if (zones.size > 1) {
    findings.push(
      note(`nodes have different zone databases: ${listText(zones)}`, "jobctl list nodes -o wide"),
    );
  }
  if (findings.length > 0) return findings;
  const count = live.length === 1 ? "1 node runs" : `${live.length} nodes run`;
  return [ok(`${count} version ${daemon.version}`)];
}

function byMember(
  nodes: readonly NodeFacts[],
  member: (node: NodeFacts) => string,
): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const node of nodes) {
    const name = member(node);
    groups.set(name, [...groups.get(name) ?? [], node.id]);
  }
  return groups;
}

function listText(groups: ReadonlyMap<string, readonly string[]>): string {
  return [...groups].map(([name, ids]) => {
    const more = ids.length > SHOWN_MAX ? `, and ${ids.length - SHOWN_MAX} more` : "";
    return `${name} (${ids.slice(0, SHOWN_MAX).join(", ")}${more})`;
  }).join(", ");
}
