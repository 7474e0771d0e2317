import assert from "node:assert/strict";
import { test } from "node:test";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../../../src/rpc/gen/reflection_v1_pb.ts";
import { call, http, JobService } from "../../../src/rpc/gen/job_pb.ts";
import { NO_AUTH, rpcWorld, tokenEntry } from "../../support/worlds/rpc_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

type Ask = MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"];

const VERSIONS = ["v1", "v1alpha"] as const;
const LIST: Ask = { case: "listServices", value: "" };

/** A typical reflection client: one stream of grpc-js, one response for each request. */
class ReflectionClient {
  readonly #client: grpc.Client;
  readonly #path: string;
  readonly #metadata = new grpc.Metadata();

  constructor(port: number, version: typeof VERSIONS[number] = "v1", token?: string) {
    this.#client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    this.#path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    if (token !== undefined) this.#metadata.set("authorization", `Bearer ${token}`);
  }

  open(): grpc.ClientDuplexStream<ServerReflectionRequest, ServerReflectionResponse> {
    return this.#client.makeBidiStreamRequest(
      this.#path,
      (message: ServerReflectionRequest) =>
        Buffer.from(toBinary(ServerReflectionRequestSchema, message)),
      (bytes) => fromBinary(ServerReflectionResponseSchema, bytes),
      this.#metadata,
    );
  }

  /** The responses to requests on one stream that the client ends. */
  async ask(...asks: readonly Ask[]): Promise<ServerReflectionResponse[]> {
    const stream = this.open();
    for (const messageRequest of asks) stream.write(request(messageRequest));
    stream.end();
    const answers: ServerReflectionResponse[] = [];
    for await (const answer of stream) answers.push(answer as ServerReflectionResponse);
    return answers;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function request(messageRequest: Ask): ServerReflectionRequest {
  return create(ServerReflectionRequestSchema, { host: "here", messageRequest });
}

function filesOf({ messageResponse }: ServerReflectionResponse): FileDescriptorProto[] {
  assert.equal(messageResponse.case, "fileDescriptorResponse");
  const { fileDescriptorProto } = messageResponse.value as { fileDescriptorProto: Uint8Array[] };
  return fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

/** The status with which a stream ends. */
function statusOf(stream: ReturnType<ReflectionClient["open"]>): Promise<number> {
  return new Promise((resolve) => {
    stream.on("error", () => {});
    stream.on("status", ({ code }) => resolve(code));
    stream.resume();
  });
}

for (const version of VERSIONS) {
  test(`reflection ${version} lists the services and describes each method of the contract`, async () => {
    await using world = await rpcWorld();
    using client = new ReflectionClient(world.port, version);
    const [list, found] = await client.ask(LIST, {
      case: "fileContainingSymbol",
      value: "job.v1.JobService",
    });
    assert.equal(list!.originalRequest?.host, "here");
    const { service } = list!.messageResponse.value as { service: { name: string }[] };
    assert.deepEqual(service.map(({ name }) => name), [
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "job.v1.JobService",
    ]);
    // All that a client needs for a call: the file and its imports.
    const files = filesOf(found!);
    const registry = createFileRegistry(files[0]!, (name) => {
      return files.find((file) => file.name === name);
    });
    const described = registry.getService("job.v1.JobService");
    assert.deepEqual(
      described?.methods.map(({ name, methodKind, input }) => [name, methodKind, input.typeName]),
      JobService.methods.map(({ name, methodKind, input }) => [name, methodKind, input.typeName]),
    );
  });
}

test("reflection finds files by name, methods, messages and fields, and reports unknown ones", async () => {
  await using world = await rpcWorld();
  using client = new ReflectionClient(world.port);
  const answers = await client.ask(
    { case: "fileByFilename", value: "google/protobuf/timestamp.proto" },
    { case: "fileContainingSymbol", value: "job.v1.JobService.Follow" },
    { case: "fileContainingSymbol", value: "job.v1.JobInstance.uuid" },
    { case: "fileContainingSymbol", value: "grpc.health.v1.HealthCheckResponse.ServingStatus" },
    { case: "allExtensionNumbersOfType", value: "job.v1.Job" },
    { case: "fileByFilename", value: "/etc/passwd" },
    { case: "fileContainingSymbol", value: "constructor" },
    {
      case: "fileContainingExtension",
      value: { containingType: "job.v1.Job", extensionNumber: 1 },
    },
    { case: "allExtensionNumbersOfType", value: "job.v1.Nothing" },
    { case: undefined },
  );
  assert.deepEqual(
    answers.slice(0, 4).map((answer) => filesOf(answer)[0]!.name),
    ["google/protobuf/timestamp.proto", "job.proto", "job.proto", "health.proto"],
  );
  assert.deepEqual(answers[4]!.messageResponse.value, {
    $typeName: "grpc.reflection.v1.ExtensionNumberResponse",
    baseTypeName: "job.v1.Job",
    extensionNumber: [],
  });
  assert.deepEqual(
    answers.slice(5).map(({ messageResponse }) =>
      messageResponse.case === "errorResponse" ? messageResponse.value.errorCode : null
    ),
    [5, 5, 5, 5, 3],
  );
});

test("reflection finds the options that the contract adds to methods", async () => {
  await using world = await rpcWorld();
  using client = new ReflectionClient(world.port);
  const { typeName } = MethodOptionsSchema;
  const [numbers, found] = await client.ask(
    { case: "allExtensionNumbersOfType", value: typeName },
    {
      case: "fileContainingExtension",
      value: { containingType: typeName, extensionNumber: http.number },
    },
  );
  const { messageResponse } = numbers!;
  assert.equal(messageResponse.case, "allExtensionNumbersResponse");
  assert.deepEqual(messageResponse.value.extensionNumber, [http.number, call.number]);
  assert.deepEqual(filesOf(found!).map(({ name }) => name), [
    "job.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/timestamp.proto",
  ]);
});

test("reflection asks for a token, of any role and for any jobs", async () => {
  const auth = {
    ...NO_AUTH,
    mode: "token" as const,
    tokens: [tokenEntry("eyes", "viewer-token", "viewer", { jobs: ["shop-*"] })],
  };
  await using folder = await rpcWorld({ isStarted: false });
  await using world = await rpcWorld({
    server: { auth: { ...auth, tokenFile: `${folder.folder}/token` } },
  });
  for (const version of VERSIONS) {
    for (const token of [undefined, "wrong"]) {
      using stranger = new ReflectionClient(world.port, version, token);
      const stream = stranger.open();
      stream.write(request(LIST));
      assert.equal(await statusOf(stream), grpc.status.UNAUTHENTICATED);
    }
    using client = new ReflectionClient(world.port, version, "viewer-token");
    const [answer] = await client.ask({ case: "fileByFilename", value: "job.proto" });
    assert.equal(filesOf(answer!)[0]!.name, "job.proto");
  }
});

test("a reflection stream ends after 1,000 requests, 64 KiB of requests, or nonsense", async () => {
  await using world = await rpcWorld();
  using client = new ReflectionClient(world.port);
  const many = client.open();
  for (let count = 0; count < 1_001; count++) many.write(request(LIST));
  assert.equal(await statusOf(many), grpc.status.RESOURCE_EXHAUSTED);
  const large = client.open();
  const symbol: Ask = { case: "fileContainingSymbol", value: "x".repeat(1_000) };
  for (let count = 0; count < 70; count++) large.write(request(symbol));
  assert.equal(await statusOf(large), grpc.status.RESOURCE_EXHAUSTED);
  const long = client.open();
  long.write(request({ case: "fileContainingSymbol", value: "x".repeat(1_001) }));
  assert.equal(await statusOf(long), grpc.status.INVALID_ARGUMENT);
});

test("one connection has at most 8 reflection streams", async () => {
  await using world = await rpcWorld();
  using client = new ReflectionClient(world.port);
  const streams = Array.from({ length: 8 }, () => client.open());
  for (const stream of streams) {
    stream.on("error", () => {});
    const answered = new Promise((resolve) => stream.once("data", resolve));
    stream.write(request(LIST));
    await answered;
  }
  const another = client.open();
  another.write(request(LIST));
  assert.equal(await statusOf(another), grpc.status.RESOURCE_EXHAUSTED);
  for (const stream of streams) stream.cancel();
});

test("a reflection stream without a request ends after 10 s, and its connection stays open", async () => {
  const clock = new SimClock();
  await using world = await rpcWorld({ clock });
  using client = new ReflectionClient(world.port);
  const stream = client.open();
  const ended = statusOf(stream);
  const answered = new Promise((resolve) => stream.once("data", resolve));
  stream.write(request(LIST));
  await answered;
  await clock.advance(10_001);
  assert.equal(await ended, grpc.status.OK);
  assert.equal((await client.ask(LIST)).length, 1);
});

test("a reflection stream ends with the server", async () => {
  const world = await rpcWorld();
  using client = new ReflectionClient(world.port);
  const stream = client.open();
  const ended = statusOf(stream);
  const answered = new Promise((resolve) => stream.once("data", resolve));
  stream.write(request(LIST));
  await answered;
  const begun = performance.now();
  await world[Symbol.asyncDispose]();
  await ended;
  assert.ok(performance.now() - begun < 1_500, "stop() waited for the stream");
});
