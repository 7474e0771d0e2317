#!/bin/bash
# Runs in the booted virtual machine as root; the last line is "N failed".
cd / || exit 1
export XDG_RUNTIME_DIR=/run HOME=/root TERM=dumb
# On an emulated processor beside other work, a program takes half a minute to start.
export JOBCTL_CALL_TIMEOUT=120s
failed=0
check() { # NAME COMMAND…: true is good
  local name=$1
  shift
  if "$@"; then echo "ok    $name"; else
    echo "FAIL  $name"
    failed=$((failed + 1))
  fi
}
has() { # PATTERN TEXT: shows the text if it does not match
  grep -q -- "$1" <<<"$2" || {
    sed 's/^/      | /' <<<"$2"
    return 1
  }
}
run() { timeout 600 jobctl run "$@" 2>&1 | tee -a /root/runs.log; }
until_is() { # COMMAND…: true within five minutes
  local end=$((SECONDS + 300))
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.2
  done
}
ready() { jobctl status >/dev/null 2>&1; }
# Takes $1 megabytes, and keeps them for $2 seconds.
cat >/usr/bin/take <<'C'
#!/bin/bash
exec perl -e '$x = "x" x ($ARGV[0] * 1000000); sleep $ARGV[1]' "$1" "$2"
C
chmod +x /usr/bin/take
useradd --create-home alice
jobs() {
  cat <<'C'
[store]
url = "sqlite:/var/lib/jobctl/jobctl.db"
[worker]
# A command must outlive the start of a daemon, which takes half a minute here.
lease = "5m"
[jobs.group]
run = "sed -n 's/^0:://p' /proc/self/cgroup"
[jobs.slow_group]
run = "sleep 3; sed -n 's/^0:://p' /proc/self/cgroup"
[jobs.small]
run = "take 30 0"
limits = { memory = "64MB" }
[jobs.many]
run = "for i in 1 2 3 4; do take 25 20 & done; wait"
limits = { memory = "64MB" }
retry = 0
[jobs.burst]
run = "take 150 0"
limits = { memory = "64MB" }
retry = 0
[jobs.count]
run = "until [ -e /var/lib/jobctl/enough ]; do echo $$ >> /var/lib/jobctl/count; sleep 0.1; done"
timeout = "120s"
retry = 0
C
}
# Begin a command that runs until there is a file.
count() {
  rm -f /var/lib/jobctl/count /var/lib/jobctl/enough
  jobctl schedule count >/dev/null
  until_is [ -s /var/lib/jobctl/count ]
}
counted() { jobctl get instance last:count -o json 2>&1 | grep -q '"completed"'; }
# Where a command moves itself into its group, the daemon watches it as well, and may be first.
OVER='used more than the 64MB of "memory"\|took more memory than its limit of 64MB'
# Its number is the same in every line; otherwise shows what is known about it.
once() {
  [ "$(sort -u /var/lib/jobctl/count | wc -l)" = 1 ] || {
    { sort /var/lib/jobctl/count | uniq -c; jobctl explain last:count; jobctl logs last:count; } 2>&1 | sed 's/^/      | /'
    return 1
  }
}
numbers() { wc -l </var/lib/jobctl/count; }

suite() { # NAME SECONDS: how long a command is frozen
  check "$1: a command ends below its bound" has '^Done in' "$(run small)"
  many=$(run many)
  check "$1: the memory of all processes is bounded" has "$OVER" "$many"
  check "$1: and all of them are gone" eval '! pgrep -f "take|perl" >/dev/null'
  check "$1: a burst does not escape" has "$OVER" "$(run burst)"
  check "$1: a command has a group in the end" has '/jobctl-[0-9a-f]*/plain/[0-9]*' "$(run slow_group)"
  count
  jobctl pause last:count --freeze --reason disk >/root/freeze.log 2>&1
  check "$1: a command is frozen" has 'running: frozen' "$(JOBCTL_OUTPUT=table jobctl list instances 2>&1)"
  before=$(numbers)
  sleep 8
  check "$1: and is frozen" [ "$(numbers)" = "$before" ]
  check "$1: its log says so" has 'Frozen: disk' "$(jobctl logs last:count 2>&1)"
  check "$1: doctor finds groups" has 'each command has a group of its own' "$(jobctl doctor --verbose -o table 2>&1)"
  sleep "$2"
  jobctl resume last:count >>/root/freeze.log 2>&1
  check "$1: it continues" until_is eval "[ \$(numbers) -gt $before ]"
  touch /var/lib/jobctl/enough
  check "$1: to its end" until_is counted
}

grep -q 'memory' /sys/fs/cgroup/cgroup.controllers || echo "FAIL  the kernel has no memory controller"
mkdir -p /etc/jobctl /var/lib/jobctl
jobs >/etc/jobctl/config.toml
jobctl install-service --force >/root/install.log 2>&1 || eval "$(sed -n 's/^hint: Run: //p' /root/install.log | sed 's/sudo //g')" >>/root/install.log 2>&1
until_is ready
# Longer than its time limit, which must not count.
suite jobctl.service 120
count
systemctl restart jobctl
check "jobctl.service: it starts again beside the groups of what runs" until_is ready
touch /var/lib/jobctl/enough
check "jobctl.service: which ends as it began" until_is counted
check "jobctl.service: having run once" once
check "jobctl.service: and bounds memory" has "$OVER" "$(run burst)"
jobctl uninstall-service >/dev/null 2>&1

rm -rf /var/lib/jobctl
{
  jobs
  printf '[jobs.mine]\nrun = "id -un; take 150 0"\nuser = "alice"\nlimits = { memory = "64MB" }\nretry = 0\n'
} >/etc/jobctl/config.toml
jobctl install-service --root --force >/root/install.log 2>&1
until_is ready
suite jobctl-root.service 8
check "jobctl-root.service: memory of other users is bounded" has "$OVER" "$(run mine)"
jobctl uninstall-service --root >/dev/null 2>&1

rm -rf /var/lib/jobctl
systemd-run --quiet --scope -p Delegate=memory jobctl serve --config /etc/jobctl/config.toml >/root/scope.log 2>&1 &
until_is ready
check "a scope: a command is started in its group" has '/jobctl-[0-9a-f]*/plain/[0-9]*' "$(run group)"
suite "a scope" 8
check "a scope: memory of other users is bounded" has "$OVER" "$(run mine)"
jobctl stop --now >/dev/null 2>&1
wait

jobctl serve --config /etc/jobctl/config.toml >/root/plain.log 2>&1 &
until_is ready
count
check "without delegation: freezing names the remedy" has 'Delegate=memory' "$(jobctl pause last:count --freeze 2>&1)"
touch /var/lib/jobctl/enough
check "without delegation: memory is watched" has 'more memory than its limit of 64MB' "$(run many)"
jobctl stop --now >/dev/null 2>&1
wait
# Indented, so that the host shows it.
[ "$failed" = 0 ] || { tail -n 50 /root/*.log; journalctl --no-pager -o short-monotonic -u jobctl | tail -n 100; } | sed 's/^/      | /'
echo "$failed failed"
