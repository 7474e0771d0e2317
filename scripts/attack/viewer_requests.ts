import { create, toBinary } from "@bufbuild/protobuf";
import { FollowRequestSchema, LookupInstancesRequestSchema } from "../../src/rpc/gen/job_pb.ts";

/** Instances that the store holds when viewers read it. */
export const RECORDS = { small: 300_000, large: 20_000 };
/** How long a well-behaved client waits for an answer. */
export const ANSWER_MS = 5_000;
/** A request for the first page of all instances. */
export const LOOKUP = toBinary(LookupInstancesRequestSchema, create(LookupInstancesRequestSchema));
/** A request to follow the logs of all. */
export const FOLLOW = toBinary(FollowRequestSchema, create(FollowRequestSchema));
