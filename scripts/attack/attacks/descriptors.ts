import type { NetConnectOpts } from "node:net";
import { connect } from "../../../src/rpc/client/client.ts";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import type { Attack, Target } from "../attack.ts";
import { flood } from "../connections.ts";

const LIMIT = 1_024;
const CONNECTIONS = 1_100;
const CALL_MS = 10_000;

/** A job that leaves something behind, so that its worker ends and each attempt needs a new one. */
const FRESH_MODULE = `
export default function fresh(): void {
  setInterval(() => {}, 1_000);
}
`;

type Address = (target: Target) => NetConnectOpts;
const GRPC: Address = ({ port }) => ({ port, host: "127.0.0.1" });
const HTTP: Address = ({ httpPort }) => ({ port: httpPort, host: "127.0.0.1" });
const UNIX: Address = ({ socket }) => ({ path: socket });

/** Whether attempts kept starting, and none failed because it could not start. */
async function attemptsWentOn({ socket }: Target): Promise<string | null> {
  const client = connect({ socket, timeoutMs: CALL_MS });
  const find = (state: JobState) => client.lookupInstances({ query: { kind: "fresh", state } });
  try {
    const failed = await find(JobState.TERMINATED);
    if (failed.instances.length === 0) return null;
    const { error } = failed.instances[0]!;
    return `${failed.instances.length} attempts failed: ${error}`;
  } finally {
    client.close();
  }
}

function silent(
  name: string,
  about: string,
  addresses: readonly Address[],
  isTls = false,
): Attack {
  return {
    ...{ name: `descriptors-${name}`, family: "descriptors", after: attemptsWentOn },
    about: `${CONNECTIONS} silent connections to ${about}, with ${LIMIT} descriptors`,
    needs: {
      ...{ descriptors: LIMIT, isTls, modules: { "fresh.ts": FRESH_MODULE } },
      toml: '[jobs.fresh]\nschedule = "* * * * * *"\nretry = 0\n',
    },
    async run(running) {
      const connections = Math.ceil(CONNECTIONS / addresses.length);
      await Promise.all(
        addresses.map((address) =>
          flood(running, { connections, to: address(running.target), script: () => [] })
        ),
      );
    },
  };
}

/** Attacks that use up the daemon's descriptors. */
export const DESCRIPTORS: readonly Attack[] = [
  silent("tcp", "the gRPC port", [GRPC]),
  silent("tls", "the gRPC port with TLS", [GRPC], true),
  silent("http", "the HTTP port", [HTTP]),
  silent("unix", "the Unix socket", [UNIX]),
  silent("all", "all three of them", [GRPC, HTTP, UNIX]),
];
