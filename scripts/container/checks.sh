#!/bin/sh
# Checks the image "jobctl" in podman: checks.sh FOLDER, a folder for volumes. Prints a line for each check.
folder=$1
failed=0

check() {
  if eval "$2"; then echo "ok $1"; else echo "FAIL $1"; failed=$((failed + 1)); fi
}
# No limits of cgroups and no network: not every machine offers them.
start() {
  timeout 60 podman run --detach --cgroups=disabled --network=none --pids-limit=0 --read-only --tmpfs /tmp "$@" >/dev/null
}
inside() { timeout 60 podman exec "$@" 2>&1; }
log() { podman logs "$1" 2>&1; }
# Waits up to 30 s until a command succeeds.
wait_for() {
  for _ in $(seq 60); do
    if eval "$1" >/dev/null 2>&1; then return 0; fi
    sleep 0.5
  done
  return 1
}
zombies() { inside "$1" sh -c 'cat /proc/[0-9]*/stat 2>/dev/null | grep -c ") Z "'; }

# As Kubernetes mounts a ConfigMap: a folder that everybody may write to, on a read-only mount.
mkdir -p "$folder/map/..data" "$folder/claim"
cat >"$folder/map/..data/jobs.toml" <<'TOML'
[jobs.hello]
run = "echo hello; echo ran >> ran"
cwd = "/var/lib/jobctl"
schedule = "* * * * * *"
[jobs.orphans]
run = "for i in 1 2 3 4 5; do (setsid sleep 0.5 > /dev/null 2>&1 &); done"
leave_children = true
schedule = "* * * * * *"
[jobs.long]
run = "echo begun >> long; sleep 4; echo ended >> long"
cwd = "/var/lib/jobctl"
[jobs.kill]
run = "kill -KILL 1; kill -STOP 1; kill -QUIT 1; echo still here"
[jobs.secret]
run = "test \"$TOKEN\" = s3cret-value && echo $TOKEN"
env = { TOKEN = { env = "JOB_TOKEN" } }
TOML
ln -s ..data/jobs.toml "$folder/map/jobs.toml"
chmod 0755 "$folder" "$folder/map/..data"
chmod 0777 "$folder/map"
chown 0:10001 "$folder/claim"
chmod 2775 "$folder/claim"
conf="$folder/map:/etc/jobctl/conf.d:ro"

start --name one -v data:/var/lib/jobctl -v "$conf" -e JOB_TOKEN=s3cret-value localhost/jobctl
check "the first job has run, on a read-only root" "wait_for 'inside one test -s ran'"
check "it runs as 10001 with the group of root" "inside one id | grep -q 'uid=10001(jobctl) gid=0'"
check "nothing to warn about" "! log one | grep -q WARN"
check "the health check succeeds" "timeout 60 podman healthcheck run one"
check "status does not show secrets" "! inside one jobctl status -o json | grep -q s3cret"
check "the image has no secret in it" "! podman inspect localhost/jobctl | grep -qi 'token='"
inside one jobctl schedule secret >/dev/null
check "a secret of the environment is masked in output" "wait_for 'inside one jobctl list instances --kind secret -o json | grep -q completed' && ! inside one sh -c 'strings -a jobctl.db* 2>/dev/null || cat jobctl.db*' | grep -aq s3cret"
inside one jobctl schedule kill >/dev/null
check "a job cannot kill, stop or quit the daemon" "wait_for 'inside one jobctl list instances --kind kill -o json | grep -q completed'"
sleep 20
check "zombies are reaped ($(zombies one) of 150 are left)" "[ $(zombies one) -lt 50 ]"
inside one jobctl schedule long >/dev/null
wait_for "inside one test -s long"
check "SIGTERM drains" "timeout 60 podman stop -t 30 one >/dev/null && [ \"\$(podman inspect one --format '{{.State.ExitCode}}')\" = 0 ]"
podman start one >/dev/null
check "what ran has ended, and the volume keeps it" "wait_for 'inside one jobctl status' && inside one cat long | grep -q ended && inside one jobctl list instances --kind long -o json | grep -q completed"
podman kill -s KILL one >/dev/null
podman start one >/dev/null
check "it starts after a SIGKILL" "wait_for 'inside one jobctl healthcheck'"
check "a second daemon on the volume is refused" "timeout 60 podman run --rm --cgroups=disabled --network=none --pids-limit=0 -v data:/var/lib/jobctl localhost/jobctl 2>&1 | grep -q 'another container or daemon uses this volume'"
podman rm -f -t 0 one >/dev/null

start --name two --user 1000680000:0 -v other:/var/lib/jobctl -v "$conf" -e JOB_TOKEN=x -e JOBCTL_LOG_FORMAT=json localhost/jobctl
check "any user of root's group runs it" "wait_for 'inside two test -s ran' && inside two jobctl healthcheck >/dev/null"
check "the log is JSON by a variable" "! log two | grep -qv '^{'"
podman rm -f -t 0 two >/dev/null

start --name three --user 10001:10001 -v "$folder/claim:/var/lib/jobctl" -v "$conf" -e JOB_TOKEN=x localhost/jobctl
check "a volume with fsGroup works" "wait_for 'inside three test -s ran' && inside three jobctl token new x --role viewer >/dev/null"
check "its health is as well" "timeout 60 podman healthcheck run three"
podman rm -f -t 0 three >/dev/null

echo "$failed failed"
[ "$failed" = 0 ]
