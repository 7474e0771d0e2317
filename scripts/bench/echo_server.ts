/**
 * A gRPC server that gives back what it gets, for the bare cost of grpc-js; prints its port. Ends
 * with its input.
 */
import * as grpc from "@grpc/grpc-js";

const same = (bytes: Buffer) => bytes;
const server = new grpc.Server();
server.addService({
  echo: {
    path: "/bench.Echo/Echo",
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
}, {
  echo(call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) {
    answer(null, call.request);
  },
});
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
process.stdin.resume().once("end", () => process.exit(0));
