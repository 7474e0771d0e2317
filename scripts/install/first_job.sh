#!/bin/sh
# In a new root: installs from /release, runs the first jobs, removes the program. The last line is "ok".
set -eu
sh /release/install.sh --from /release
cd /root
jobctl init jobs -o json >/dev/null
cat >>jobs/config.toml <<'TOML'

[jobs.first]
run = "echo first job"
TOML
cd jobs
jobctl serve --config config.toml >/root/log 2>&1 &
daemon=$!
tries=0
until jobctl status -o json >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ $tries -lt 60 ] || { cat /root/log; exit 1; }
  sleep 0.5
done
jobctl schedule first --wait -o json | grep '"state": "completed"'
jobctl schedule greet you --wait -o json | grep 'Hello, you!'
if sh /release/install.sh --uninstall; then
  echo 'The program of a running daemon was removed'
  exit 1
fi
sh /release/install.sh --from /release | grep "A daemon still runs the old file (process $daemon)"
kill -TERM $daemon
wait $daemon || :
sh /release/install.sh --uninstall
if [ -n "$(find /usr/local -type f)" ]; then
  find /usr/local -type f
  exit 1
fi
[ -f data/jobctl.db ]
echo ok
