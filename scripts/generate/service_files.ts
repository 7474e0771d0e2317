import { serviceFile } from "../../src/tools/service/service_file.ts";
import { ADDRESSES_DEFAULT, socketFile } from "../../src/tools/service/systemd_socket.ts";
import { PACKAGED, type ServiceSettings } from "../../src/tools/service/service_settings.ts";

const ORIGIN = "Made by npm run generate from src/tools/service; install-service writes the same.";
const ROOT: ServiceSettings = { ...PACKAGED, user: null };

/** The files of services in `contrib/`, by path. */
export function contribFiles(): Readonly<Record<string, string>> {
  const { text: plist } = serviceFile("launchd", {
    ...ROOT,
    argv: ["/usr/local/bin/jobctl"],
  });
  return {
    "contrib/systemd/jobctl.service": `# ${ORIGIN}\n${serviceFile("systemd", PACKAGED).text}`,
    "contrib/systemd/jobctl-root.service": `# ${ORIGIN}\n${serviceFile("systemd", ROOT).text}`,
    "contrib/systemd/jobctl.socket": socketUnit("jobctl"),
    "contrib/systemd/jobctl-root.socket": socketUnit(null),
    "contrib/openrc/jobctl": afterFirstLine(serviceFile("openrc", PACKAGED).text, `# ${ORIGIN}`),
    "contrib/launchd/io.github.ts-job.jobctl.plist": afterFirstLine(plist, `<!-- ${ORIGIN} -->`),
  };
}

function socketUnit(user: string | null): string {
  return `# ${ORIGIN}\n${socketFile({ user, addresses: ADDRESSES_DEFAULT }).text}`;
}

function afterFirstLine(text: string, line: string): string {
  return text.replace("\n", `\n${line}\n`);
}
