import type { MessageInitShape } from "@bufbuild/protobuf";
import type { EtcdCallOptions, EtcdCalls, EtcdResponse } from "./calls.ts";
import {
  Compare_CompareTarget as Target,
  type CompareSchema,
  KV,
  type RangeResponse,
  type RequestOpSchema,
  type TxnResponse,
} from "./gen/etcd_pb.ts";
import type { KeyRange } from "./layout.ts";

/** One operation of a transaction. */
export type Operation = MessageInitShape<typeof RequestOpSchema>;
/** A condition of a transaction. */
export type Condition = MessageInitShape<typeof CompareSchema>;

/** One atomic request that compares, then runs one of two lists of operations. */
export interface Transaction {
  readonly action: string;
  readonly conditions?: readonly Condition[];
  readonly success: readonly Operation[];
  readonly failure?: readonly Operation[];
}

/** Set a key; with a lease, it is deleted when the lease ends. */
export function putOf(key: Uint8Array, value: Uint8Array | string, lease = 0n): Operation {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return { request: { case: "requestPut", value: { key, value: bytes, lease } } };
}

/** Read one key, or a range up to `limit` keys. */
export function readOf(range: Uint8Array | KeyRange, limit = 0): Operation {
  const { key, rangeEnd } = boundsOf(range);
  return { request: { case: "requestRange", value: { key, rangeEnd, limit: BigInt(limit) } } };
}

/** Delete one key or a range. */
export function deleteOf(range: Uint8Array | KeyRange): Operation {
  return { request: { case: "requestDeleteRange", value: boundsOf(range) } };
}

/** The condition that a key has exactly this value; null: that it does not exist. */
export function isValue(key: Uint8Array, value: string | null): Condition {
  return value === null
    ? { key, target: Target.CREATE, targetUnion: { case: "createRevision", value: 0n } }
    : { key, target: Target.VALUE, targetUnion: { case: "value", value: Buffer.from(value) } };
}

/** Key and exclusive end, as in etcd's requests. */
export function boundsOf(range: Uint8Array | KeyRange) {
  return range instanceof Uint8Array
    ? { key: range, rangeEnd: new Uint8Array(0) }
    : { key: range.key, rangeEnd: range.end };
}

/** Run a transaction. With `isWrite`, a failure with an unknown outcome is `unavailable`. */
export async function runTransaction(
  calls: EtcdCalls,
  { action, conditions = [], success, failure = [] }: Transaction,
  options: Omit<EtcdCallOptions, "action"> = { isWrite: true },
): Promise<EtcdResponse<TxnResponse>> {
  return await calls.call(
    KV.method.txn,
    { compare: [...conditions], success: [...success], failure: [...failure] },
    { action, ...options },
  );
}

/** Several reads at one moment: the responses in order, and the revision. */
export async function readTogether(
  calls: EtcdCalls,
  action: string,
  success: readonly Operation[],
): Promise<{ readonly revision: bigint; readonly ranges: readonly RangeResponse[] }> {
  const { message } = await runTransaction(calls, { action, success }, { isWrite: false });
  return { revision: message.header?.revision ?? 0n, ranges: rangesOf(message) };
}

/** The responses to the reads of a transaction, in order. */
export function rangesOf(message: TxnResponse): readonly RangeResponse[] {
  return message.responses.flatMap(({ response }) =>
    response.case === "responseRange" ? [response.value] : []
  );
}
