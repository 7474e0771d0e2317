#!/bin/sh
# Boots the system in a root folder with systemd as PID 1: boot.sh ROOT. In a mount namespace of its own (unshare --mount).
set -e
mount --make-rprivate /
# A host with cgroup v1 gets a lone v2 in here: systemd 256 and newer refuses v1.
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
  umount -l /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
# nspawn wants its own files on a tmpfs.
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
group=/sys/fs/cgroup/jobctl-nspawn-$$
mkdir "$group"
echo $$ > "$group/cgroup.procs"
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
systemd-nspawn --quiet --directory="$1" --register=no --keep-unit --private-network --boot || true
# nspawn leaves its own groups behind.
echo $$ > /sys/fs/cgroup/cgroup.procs
find "$group" -depth -type d -exec rmdir {} +
