import { bareHost, GRPC_PORT_DEFAULT, hostPort } from "../../core/address.ts";
import { JobError } from "../../core/errors.ts";
import type { Config } from "../../config/config.ts";
import type { ServiceFile } from "./service_file.ts";

/** The default addresses of a configuration. */
export const ADDRESSES_DEFAULT: readonly string[] = [
  `127.0.0.1:${GRPC_PORT_DEFAULT}`,
  "127.0.0.1:59052",
];

const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[\da-fA-F:.]+\]):[1-9]\d{0,4}$/;

/**
 * The addresses of a daemon on TCP, as a socket unit names them.
 *
 * @throws JobError `invalid_argument` without any, or for one unknown to systemd
 */
export function socketAddresses(
  { host, port, http }: Pick<Config["server"], "host" | "port" | "http">,
): readonly string[] {
  const addresses = [...port === null ? [] : [{ host, port }], ...http === null ? [] : [http]]
    .map((one) => hostPort(bareHost(one.host) === "localhost" ? "127.0.0.1" : one.host, one.port));
  const wrong = addresses.find((one) => !ADDRESS.test(one));
  if (addresses.length > 0 && wrong === undefined) return addresses;
  const problem = wrong === undefined
    ? "server.port and server.http are off"
    : `"${wrong}" is not an IP address with a port`;
  throw new JobError("invalid_argument", `Cannot write a socket unit: ${problem}`, {
    hint: "Give server.host, server.port and server.http fixed addresses",
  });
}

/** The socket unit that keeps the ports of a service open. @param user null for root */
export function socketFile(
  { user, addresses }: { readonly user: string | null; readonly addresses: readonly string[] },
): ServiceFile {
  const [own, other] = user === null ? ["jobctl-root", "jobctl"] : ["jobctl", "jobctl-root"];
  const name = `${own}.socket`;
  const text = [
    "[Unit]",
    `Description=The ports of ${own}.service, also while it restarts`,
    "Documentation=man:jobctl(1)",
    // A connection would start this service, which stops the other one.
    `Conflicts=${other}.service ${other}.socket`,
    "",
    "[Socket]",
    "# The daemon uses the addresses that its configuration names.",
    ...addresses.map((address) => `ListenStream=${address}`),
    "Backlog=511",
    "",
    "[Install]",
    "WantedBy=sockets.target",
    "",
  ].join("\n");
  return {
    path: `/etc/systemd/system/${name}`,
    text,
    mode: 0o644,
    reload: [["systemctl", "daemon-reload"]],
    // It cannot be started while the service runs, which is not ours to stop.
    enable: [["systemctl", "enable", name]],
    disable: [["systemctl", "disable", "--now", name]],
    status: `systemctl status ${name}`,
    next: [
      ["systemctl", "stop", `${own}.service`],
      ["systemctl", "start", name, `${own}.service`],
    ],
  };
}
