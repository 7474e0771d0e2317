import { checkServicePath, type ServiceSettings, STOP_SECONDS } from "./service_settings.ts";

/** Name of the service for launchd. */
export const LAUNCHD_LABEL = "io.github.ts-job.jobctl";
const CARRIED = /^[^\p{Cc}]+$/u;

/** The property list of a service. @throws JobError `invalid_argument` for a path */
export function launchdPlist({ argv, config, user }: ServiceSettings): string {
  const words = [...argv.map(checked), "serve", "--config", checked(config)];
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LAUNCHD_LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${words.map((one) => `    <string>${escaped(one)}</string>`).join("\n")}
  </array>
${
    user === null
      ? ""
      : `  <key>UserName</key>\n  <string>${escaped(user)}</string>\n`
  }  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ExitTimeOut</key>
  <integer>${STOP_SECONDS}</integer>
  <key>SoftResourceLimits</key>
  <dict>
    <key>NumberOfFiles</key>
    <integer>65536</integer>
  </dict>
  <key>StandardOutPath</key>
  <string>/var/log/jobctl.log</string>
  <key>StandardErrorPath</key>
  <string>/var/log/jobctl.log</string>
</dict>
</plist>
`;
}

function checked(path: string): string {
  return checkServicePath(path, CARRIED, "launchd");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
