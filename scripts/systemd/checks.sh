#!/bin/bash
# Runs in the booted system as root; the last line is "N failed".
cd / || exit 1
failed=0
check() { # NAME COMMAND…: true is good
  local name=$1
  shift
  if "$@"; then echo "ok    $name"; else
    echo "FAIL  $name"
    failed=$((failed + 1))
  fi
}
state() { systemctl show "$1" -p "$2" --value; }
is() { [ "$(state "$1" "$2")" = "$3" ]; }
has_line() { grep -q -- "$1" <<<"$2"; }
run_job() { jobctl schedule "$1" --wait --follow 2>&1; }
configure() {
  mkdir -p /etc/jobctl/jobs
  cat >/etc/jobctl/config.toml <<C
modules = ["jobs"]
[store]
url = "sqlite:/var/lib/jobctl/jobctl.db"
[server.auth]
tokens_file = "/var/lib/jobctl/tokens.json"
[jobs.show]
run = 'id -un; test "\$SECRET" = the-secret && echo secret ok; env | grep -c NOTIFY; touch /var/lib/jobctl/x && echo state ok; touch /etc/x || true'
env = { SECRET = { credential = "jobctl.test" } }
[jobs.slow]
run = "sleep 12; echo slept > /var/lib/jobctl/slept"
drain = "2m"
$1
C
}

sudo() { "$@"; }
hint() { "$@" 2>&1 | sed -n 's/^hint: Run: //p'; }
# What is printed is executed, until the service runs.
steps=$(hint jobctl install-service)
check "install-service names what is missing" has_line '^useradd .* && .*init .* && .*check .* && .*install-service$' "${steps//sudo /}"
check "and writes no unit" [ ! -e /etc/systemd/system/jobctl.service ]
eval "$steps" >/root/steps.log 2>&1
check "its commands lead to a service that is ready" is jobctl ActiveState active
check "which runs a job" has_line 'Hello, you!' "$(jobctl schedule greet you --wait 2>&1)"
check "doctor finds nothing wrong with it" eval '! jobctl doctor -o table | grep -E "^error: (config|daemon|unit|store|permissions)"'
systemctl stop jobctl
sed -i 's|^url = .*|url = "sqlite:data/jobctl.db"|' /etc/jobctl/config.toml
check "doctor names a database that the daemon cannot create" has_line 'user jobctl cannot create "/etc/jobctl/data"' "$(jobctl doctor -o table)"
while read -r remedy; do eval "$remedy"; done < <(jobctl doctor -o table | sed -n 's/^error: store: .*; fix: //p')
check "and its commands mend it" is jobctl ActiveState active
printf '[store.backup]\nschedule = "@daily"\npath = "/srv/backups"\n' >>/etc/jobctl/config.toml
reloaded=$(jobctl reload 2>&1)
check "a reload names a folder for backups that is missing" has_line 'store.backup.path: .* does not exist' "$reloaded"
check "and that the unit does not open it" has_line 'jobctl.service does not let the daemon write to' "$reloaded"
check "check names it, too" eval '! jobctl check --config /etc/jobctl/config.toml >/root/check.log'
while read -r remedy; do eval "$remedy"; done < <(sed -n 's/^.*store\.backup\.path: .* (\(.*\))$/\1/p' <<<"$reloaded")
check "after its commands a reload says nothing" [ -z "$(jobctl reload 2>&1 >/dev/null)" ]
check "and a backup works" has_line completed "$(jobctl schedule system.store.backup --wait -o json)"
jobctl uninstall-service >/dev/null
rm -r /etc/jobctl /etc/systemd/system/jobctl.service.d /var/lib/jobctl
useradd --create-home alice
mkdir -p /etc/credstore
echo the-secret >/etc/credstore/jobctl.test
chmod 600 /etc/credstore/jobctl.test
cat >/etc/jobctl.spin <<'C'
export default { kind: "spin", isolation: "inline", retry: 0, run() { for (;;); } };
C
# An older systemd has no ImportCredential.
if [ "$(systemctl --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')" -lt 254 ]; then
  for unit in jobctl jobctl-root; do
    mkdir -p /etc/systemd/system/$unit.service.d
    printf '[Service]\nLoadCredential=jobctl.test:/etc/credstore/jobctl.test\n' >/etc/systemd/system/$unit.service.d/credential.conf
  done
fi

configure ''
cp /etc/jobctl.spin /etc/jobctl/jobs/spin.ts
check "install-service starts the unit" jobctl install-service
check "it is ready" is jobctl ActiveState active
check "it runs as its user" [ "$(stat -c %U "/proc/$(state jobctl MainPID)")" = jobctl ]
shown=$(run_job show)
check "jobs run as that user" has_line '^jobctl$' "$shown"
check "jobs have credentials" has_line '^secret ok$' "$shown"
check "jobs have no NOTIFY_SOCKET" has_line '^0$' "$shown"
check "jobs can write the state folder" has_line '^state ok$' "$shown"
check "jobs cannot write /etc" [ ! -e /etc/x ]

echo 'x = [' >>/etc/jobctl/config.toml
systemctl reload jobctl
sleep 1
check "a refused reload is in the status" has_line 'it was refused' "$(state jobctl StatusText)"
configure ''
systemctl reload jobctl
sleep 1
check "a reload ends as ready" has_line '^Running 0 of .* queued$' "$(state jobctl StatusText)"

mkdir -p /etc/systemd/system/jobctl.service.d
printf '[Service]\nTimeoutStopSec=4\nWatchdogSec=4\n' >/etc/systemd/system/jobctl.service.d/test.conf
systemctl daemon-reload
systemctl restart jobctl
jobctl schedule slow >/dev/null
sleep 1
systemctl stop jobctl
check "a stop waits for a drain longer than TimeoutStopSec" [ -e /var/lib/jobctl/slept ]
check "that stop is a success" is jobctl Result success

systemctl start jobctl
configure $'[jobs.held]\nrun = "echo $$ > /tmp/held.pid; cat /tmp/held.pid > /var/lib/jobctl/held.pid; sleep 20; cat /tmp/held.pid > /var/lib/jobctl/held"\ndrain = "2s"'
jobctl reload >/dev/null
held_runs() { [ -e "/proc/$(cat /var/lib/jobctl/held.pid)" ]; }
held_state() { jobctl list instances --kind held -o json | sed -n 's/.*"state": *"\([a-z]*\)".*/\1/p'; }
jobctl schedule held >/dev/null
sleep 1
systemctl restart jobctl
check "a restart does not wait for a command" is jobctl ActiveState active
check "a command runs on after a restart" held_runs
systemctl kill --kill-whom=main --signal=KILL jobctl
sleep 4
check "systemd starts a daemon again that was killed" is jobctl ActiveState active
check "the command runs on" held_runs
jobctl upgrade-daemon >/dev/null
check "an upgrade keeps the unit active" is jobctl ActiveState active
sleep 20
check "the command ended by itself, with its files in /tmp" [ -s /var/lib/jobctl/held ]
check "and was recorded once" [ "$(held_state)" = completed ]
check "it had one attempt" has_line '"attempts": *1' "$(jobctl list instances --kind held -o json)"
jobctl schedule held >/dev/null
sleep 1
systemctl stop jobctl
check "a stop ends commands" eval '! held_runs'
check "and leaves no process" [ -z "$(pgrep -u jobctl)" ]
systemctl start jobctl
sleep 9
check "the watchdog leaves a daemon alone that works" is jobctl NRestarts 0
timeout 3 jobctl schedule spin >/dev/null 2>&1
for _ in $(seq 20); do
  [ "$(state jobctl NRestarts)" != 0 ] && break
  sleep 1
done
check "the watchdog restarts a daemon whose loop is blocked" has_line 'Watchdog timeout' "$(journalctl --no-pager -u jobctl)"
systemctl stop jobctl
rm /etc/systemd/system/jobctl.service.d/test.conf /etc/jobctl/jobs/spin.ts
systemctl daemon-reload

has_ports() {
  ! jobctl status | grep -q 'Cannot listen' &&
    setpriv --reuid jobctl --clear-groups env XDG_RUNTIME_DIR=/run jobctl --socket none --host 127.0.0.1 status >/dev/null
}
jobctl install-service --sockets >/dev/null
check "a socket unit starts with its service" systemctl start jobctl.socket jobctl
check "the daemon has its sockets" has_ports
setpriv --reuid alice --clear-groups perl -MIO::Socket::INET -e 'while (1) { for (59051, 59052) { print "$_\n" and sleep 60
  if IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $_, Listen => 5, ReuseAddr => 1) } }' >/root/stolen &
thief=$!
for how in 'restart' 'kill --kill-whom=main --signal=KILL'; do
  # shellcheck disable=SC2086
  systemctl $how jobctl
  sleep 4
  check "$how: it has them again" has_ports
done
check "an upgrade works, too" jobctl upgrade-daemon
check "and has them" has_ports
kill $thief
wait $thief 2>/dev/null
check "no other user could take them" [ ! -s /root/stolen ]
systemctl stop jobctl.socket jobctl
check "uninstall-service --sockets removes the socket unit" jobctl uninstall-service --sockets

echo '# mine' >>/etc/systemd/system/jobctl.service
check "a changed unit stays" eval '! jobctl uninstall-service 2>/dev/null'
sed -i '$d' /etc/systemd/system/jobctl.service
check "uninstall-service removes its own unit" jobctl uninstall-service
check "and nothing else" eval '[ ! -e /etc/systemd/system/jobctl.service ] && [ -e /var/lib/jobctl/jobctl.db ]'

rm -r /var/lib/jobctl
configure $'[jobs.mine]\nrun = "id -un; touch ~/mine"\nuser = "alice"'
check "install-service --root starts the unit" jobctl install-service --root
check "it is ready" is jobctl-root ActiveState active
check "its jobs run as other users" has_line '^alice$' "$(run_job mine)"
check "with their files" [ "$(stat -c %U /home/alice/mine)" = alice ]
check "its jobs have credentials" has_line '^secret ok$' "$(run_job show)"
check "uninstall-service --root removes it" jobctl uninstall-service --root
check "no unit has failed" [ -z "$(systemctl --failed --no-legend | tee /dev/stderr)" ]
echo "$failed failed"
[ "$failed" = 0 ]
