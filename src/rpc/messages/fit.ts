import type { Instance, StoredLogEntry } from "../../core/instance.ts";
import type { NodeStatus } from "../../manager/api.ts";
import type { JobInstanceSchema, NodeSchema } from "../gen/job_pb.ts";
import { MESSAGE_BYTES_MAX } from "../limits.ts";
import { instanceToWire, nodeToWire } from "./convert.ts";
import type { WireRecord } from "./wire_record.ts";

/** Most bytes of a character of JSON text. */
export const BYTES_OF_CHARACTER = 3;
/** Bytes of the some 20 small fields of a JobInstance. */
const BYTES_OF_INSTANCE = 700;
/** Most characters of a node in a message, without its kinds. */
const NODE_CHARACTERS = 20_000;

type WireInstance = WireRecord<typeof JobInstanceSchema>;

function estimateBytes(instance: Instance): number {
  const characters = instance.argumentsJson.length + (instance.resultsJson?.length ?? 0) +
    (instance.error?.message.length ?? 0) * 2 + (instance.error?.stack?.length ?? 0);
  return BYTES_OF_INSTANCE + characters * BYTES_OF_CHARACTER;
}

/** Longest error that is kept if payloads are omitted. */
const ERROR_LENGTH_MAX = 1_000;
/** Longest part of a log line that is kept if it does not fit. */
const LINE_LENGTH_MAX = 100_000;

/** An instance without its payload, which exceeds a message, as its error states. */
export function withoutPayload(instance: Instance): Instance {
  const { argumentsJson, resultsJson, error } = instance;
  const length = argumentsJson.length + (resultsJson?.length ?? 0);
  const note = `(arguments and results of ${length} characters do not fit in a message)`;
  const message = error === null ? note : `${error.message.slice(0, ERROR_LENGTH_MAX)} ${note}`;
  const name = error?.name.slice(0, ERROR_LENGTH_MAX) ?? "TooLarge";
  return { ...instance, argumentsJson: "[]", resultsJson: null, error: { name, message } };
}

/** Longest arguments, results and errors of an instance in brief, in characters. */
const BRIEF_MAX = 300;

/** An instance for a list: no long arguments and results, and the beginning of its error. */
export function inBrief(instance: Instance): Instance {
  const { argumentsJson, resultsJson, error } = instance;
  return {
    ...instance,
    argumentsJson: argumentsJson.length > BRIEF_MAX ? "[]" : argumentsJson,
    resultsJson: (resultsJson?.length ?? 0) > BRIEF_MAX ? null : resultsJson,
    error: error && {
      ...error,
      name: error.name.slice(0, BRIEF_MAX),
      message: error.message.slice(0, BRIEF_MAX),
      stack: undefined,
    },
  };
}

/** The beginning of a log line that exceeds a message, and the length of the rest. */
export function withoutRest(entry: StoredLogEntry): StoredLogEntry {
  const left = entry.message.length - LINE_LENGTH_MAX;
  if (left <= 0) return entry;
  const message = `${entry.message.slice(0, LINE_LENGTH_MAX)}… (${left} characters do not fit)`;
  return { ...entry, message };
}

/**
 * Changed instances in one message. If they do not fit, their payloads are omitted and the list is
 * cut. Unlike a page, they cannot be requested again: the request has changed them.
 */
export function fitInstances(instances: readonly Instance[]): WireInstance[] {
  const bytes = instances.reduce((sum, instance) => sum + estimateBytes(instance), 0);
  if (bytes <= MESSAGE_BYTES_MAX) return instances.map(instanceToWire);
  return instances.slice(0, Math.floor(MESSAGE_BYTES_MAX / BYTES_OF_INSTANCE)).map((instance) => ({
    ...instanceToWire(instance),
    arguments: [],
    results: [],
    argumentsJson: undefined,
    resultsJson: undefined,
    ...shortError(instance),
  }));
}

function shortError({ error }: Instance): Pick<WireInstance, "error" | "errorDetail"> {
  if (error === null) return {};
  const message = error.message.slice(0, 100);
  return { error: message, errorDetail: { name: error.name.slice(0, 100), message } };
}

/** All nodes in one message, without the names of their jobs if these do not fit. */
export function fitNodes(nodes: readonly NodeStatus[]): WireRecord<typeof NodeSchema>[] {
  const wire = nodes.map(nodeToWire);
  const characters = nodes.reduce(
    (sum, { kinds }) => kinds.reduce((all, kind) => all + kind.length + 3, sum),
    Math.min(nodes.length * NODE_CHARACTERS, MESSAGE_BYTES_MAX / 2 / BYTES_OF_CHARACTER),
  );
  if (characters * BYTES_OF_CHARACTER <= MESSAGE_BYTES_MAX) return wire;
  return wire.map((node) => ({ ...node, kinds: [] }));
}
