import type { JobClient } from "../../rpc/client/client.ts";
import { findInstance } from "../lookup/find_instance.ts";
import { Printer } from "../output/printer.ts";
import type { VerbContext } from "../verb/verb.ts";
import { describeInstance, describeJob } from "../lookup/descriptions.ts";
import { INCIDENT_VIEW } from "../views/notice_views.ts";
import { NODE_VIEW } from "../views/node_view.ts";
import { TextBuffer } from "../watch/change_printer.ts";
import { kindOf, type Row, shortId } from "./sections.ts";

/** The heading of a row's description. */
export function titleOf({ subject }: Row): string {
  if (subject.type === "node") return `Node ${subject.node.id}`;
  if (subject.type === "upcoming") {
    const { kind, uuid } = subject.run;
    return uuid === undefined ? `Job ${kind}` : `Instance ${kind} ${shortId(uuid)}`;
  }
  const kind = kindOf(subject);
  if (subject.type === "incident") {
    return kind === undefined ? `Incident of ${subject.incident.type}` : `Job ${kind}`;
  }
  return `Instance ${kind} ${shortId(subject.instance.uuid)}`;
}

/** Everything about a row's subject, as `jobctl describe` writes it. */
export async function describeRow(
  { subject }: Row,
  client: JobClient,
  { io, printer: { options } }: VerbContext,
): Promise<string> {
  const buffer = new TextBuffer();
  const to = { ...io, stdout: buffer, stderr: buffer };
  const plain = { ...options, hasColor: false, hasTabs: false };
  const printer = new Printer(to, { ...plain, format: "table" });
  const fields = new Printer(to, { ...plain, format: "yaml" });
  const kind = kindOf(subject);
  const uuid = subject.type === "upcoming"
    ? subject.run.uuid
    : "instance" in subject
    ? subject.instance.uuid
    : undefined;
  if (uuid !== undefined) {
    await describeInstance(
      await findInstance(client, uuid, "jobctl describe job KIND"),
      client,
      printer,
    );
  } else if (kind !== undefined) await describeJob(kind, client, printer);
  else if (subject.type === "node") {
    const { nodes } = await client.listNodes({});
    await fields.one(NODE_VIEW, nodes.find(({ id }) => id === subject.node.id) ?? subject.node);
  } else if (subject.type === "incident") await fields.one(INCIDENT_VIEW, subject.incident);
  return buffer.take();
}

/** The instance whose log a row shows: its own, or the last one of its job. */
export async function instanceFor(
  { subject }: Row,
  client: JobClient,
): Promise<{ readonly uuid: string; readonly kind: string } | undefined> {
  if ("instance" in subject) return subject.instance;
  if (subject.type === "incident" && subject.incident.lastUuid !== undefined) {
    return { uuid: subject.incident.lastUuid, kind: subject.incident.name };
  }
  const kind = kindOf(subject);
  if (kind === undefined) return undefined;
  return (await client.lookupInstances({ query: { kind, pageSize: 1 }, brief: true })).instances[0];
}
