// Checks the units in contrib/systemd and prints their exposure: npm run units
import { tryRun } from "./tasks.mjs";

const UNITS = ["contrib/systemd/jobctl.service", "contrib/systemd/jobctl-root.service"];
const SOCKETS = ["contrib/systemd/jobctl.socket", "contrib/systemd/jobctl-root.socket"];

function analyze(args) {
  const { status, error, stdout, stderr } = tryRun("systemd-analyze", args, {
    stdio: "pipe",
    encoding: "utf8",
  });
  if (error) process.exit(1);
  return { status, text: `${stdout}${stderr}` };
}

let isBad = false;
for (const unit of [...UNITS, ...SOCKETS]) {
  const { text } = analyze(["verify", "--man=no", unit]);
  // It need not be installed here.
  const lines = text.split("\n").filter((line) => line && !line.includes("is not executable"));
  for (const line of lines) console.error(line);
  isBad ||= lines.length > 0;
  if (SOCKETS.includes(unit)) continue;
  const security = analyze(["security", "--offline=true", "--no-pager", unit]);
  console.log(security.text.trim().split("\n").at(-1));
}
if (isBad) process.exitCode = 1;
