import { serviceFile } from "../../src/tools/service/service_file.ts";
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
    "contrib/openrc/jobctl": afterFirstLine(serviceFile("openrc", PACKAGED).text, `# ${ORIGIN}`),
    "contrib/launchd/io.github.ts-job.jobctl.plist": afterFirstLine(plist, `<!-- ${ORIGIN} -->`),
  };
}

function afterFirstLine(text: string, line: string): string {
  return text.replace("\n", `\n${line}\n`);
}
