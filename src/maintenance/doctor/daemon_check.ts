import type { FoundDaemon, UnitFacts } from "./facts.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** The daemon, and how it is started. */
export interface DaemonCheckFacts {
  readonly found: FoundDaemon;
  readonly isService: boolean;
}

const SHOWN_MAX = 5;

/** Judge the daemon. The doctor works without it, so a stopped one is only a note. */
export function checkDaemon({ found, isService }: DaemonCheckFacts): Finding[] {
  const { ok, note, warning, error, unchecked } = findingsOf("daemon");
  if (found.type === "unknown") {
    const find = found.isFailing === true ? error : unchecked;
    return [find(found.why, found.remedy ?? "jobctl status")];
  }
  if (found.type === "none") {
    const start = isService ? "sudo systemctl start jobctl" : "jobctl serve";
    return [note("none answers", start)];
  }
  const { node, version, isDraining, reloadProblem, listenerProblems, disabled } = found.daemon;
  const { missing, silent, workers } = found.daemon;
  const findings: Finding[] = [];
  if (isDraining) {
    findings.push(note(`node ${node} is stopping: it starts nothing new`, "jobctl status"));
  }
  if (reloadProblem !== null) {
    findings.push(
      warning(`the last reload had problems: ${reloadProblem}`, "jobctl check, then jobctl reload"),
    );
  }
  for (const problem of listenerProblems) {
    const text = `${problem}. Jobs run, clients use the socket, and the daemon tries again`;
    findings.push(warning(text, "sudo ss -tanp, and end the process that has the port"));
  }
  if (workers === 0) {
    const what = `node ${node} has 0 workers: it runs nothing, and what is due waits`;
    findings.push(warning(what, "jobctl workers scale 4"));
  }
  if (missing > 0) {
    const what = `attempts that run without a process: ${missing}; they end as lost within a lease`;
    findings.push(warning(what, "Look for the reason in the log of the daemon"));
  }
  if (silent > 0) {
    const what = `supervisors of commands that do not respond: ${silent}`;
    const remedy = 'Look for "jobctl __supervisor" in the list of processes: is it frozen?';
    findings.push(warning(what, remedy));
  }
  if (disabled.length > 0) {
    const names = disabled.slice(0, SHOWN_MAX).join(", ");
    const more = disabled.length > SHOWN_MAX ? `, and ${disabled.length - SHOWN_MAX} more` : "";
    findings.push(
      warning(`jobs that do not load: ${names}${more}`, "jobctl check, then jobctl reload"),
    );
  }
  return findings.length > 0 ? findings : [ok(`node ${node} runs version ${version}`)];
}

/** Judge the files of installed services. */
export function checkUnits(units: readonly UnitFacts[]): Finding[] {
  const make = findingsOf("unit");
  if (units.length === 0) return [make.ok("no service is installed")];
  return units.map(({ path, problem, level, remedy }) =>
    problem === null
      ? make.ok(`"${path}" is what this version writes`)
      : make[level](`"${path}" ${problem}`, remedy)
  );
}
