import {
  checkServicePath,
  type ServiceSettings,
  STATE_FOLDER,
  STOP_SECONDS,
} from "./service_settings.ts";

/** OpenRC evaluates its variables again, so allow only text that every shell reads literally. */
const CARRIED = /^[\w./@%+:,=-]+$/;

/** The script of a service for OpenRC. @throws JobError `invalid_argument` for a path */
export function openrcScript({ argv, config, user }: ServiceSettings): string {
  const [program, ...words] = [...argv, config].map((path) =>
    checkServicePath(path, CARRIED, "openrc")
  );
  const file = words.pop()!;
  const owner = user === null ? "root:root" : `${user}:${user}`;
  const args = [...words, "serve", "--config", file];
  return `#!/sbin/openrc-run
# shellcheck shell=sh disable=SC2034

name="jobctl"
description="jobctl, a job scheduler"
supervisor="supervise-daemon"
command="${program}"
command_args="${args.join(" ")}"
command_user="${owner}"
supervise_daemon_args="--env XDG_RUNTIME_DIR=/run"
pidfile="/run/\${RC_SVCNAME}.pid"
output_log="/var/log/jobctl.log"
error_log="/var/log/jobctl.log"
respawn_delay=2
respawn_max=0
# The daemon drains and ends its workers itself.
retry="TERM/${STOP_SECONDS}/KILL/5"
rc_ulimit="-n 65536"
required_files="${file}"
extra_started_commands="reload"

depend() {
	use net dns logger
	after clock firewall
}

start_pre() {
	checkpath --directory --owner "${owner}" --mode 0755 /run/jobctl
	checkpath --directory --owner "${owner}" --mode 0700 ${STATE_FOLDER}
	checkpath --file --owner "${owner}" --mode 0640 /var/log/jobctl.log
}

reload() {
	ebegin "Reloading the configuration of jobctl"
	supervise-daemon "\${RC_SVCNAME}" --signal HUP --pidfile "\${pidfile}"
	eend $?
}
`;
}
