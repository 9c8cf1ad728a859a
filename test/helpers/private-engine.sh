#!/usr/bin/env bash
# private-engine.sh <folder> <argument of dockerd …>
# Starts `dockerd` as often as it is told to, by a line on stdin that it answers with the pid, and ends with stdin.
#
# The daemon and all that comes of it live in namespaces of their own. So the kernel itself ends every process and
# unmounts everything once the first process of them ends, also when the test was killed that held the other end of
# stdin; and no daemon here meets the bridge, the firewall or the `/run` of the system.
set -uo pipefail

supervise() {
  mount -t tmpfs -o mode=755 tmpfs /run || exit
  [[ $HIDE_UNIFIED_CGROUPS == true ]] && umount /sys/fs/cgroup/unified 2>/dev/null
  while read -r; do
    rm -f /run/docker.pid # Of a daemon that was killed; its pid may be somebody else's by now.
    dockerd "$@" </dev/null >>"$folder/log" 2>&1 &
    echo $!
  done
}

# Only a runtime removes them that was let finish. The ids are of this engine's containers and nobody else's.
remove_cgroups() {
  local id
  for id in $(ls "$folder/data/containers" 2>/dev/null); do
    for _ in {1..50}; do
      find /sys/fs/cgroup -depth -type d -path "*/docker/$id*" -exec rmdir {} + 2>/dev/null
      [[ -z $(find /sys/fs/cgroup -type d -path "*/docker/$id*" -print -quit) ]] && break
      sleep 0.1
    done
  done
}

if [[ $1 == --inside ]]; then
  folder=$2
  supervise "${@:3}"
else
  folder=$1
  unshare --mount --propagation private --net --pid --fork --mount-proc "$0" --inside "$@"
  remove_cgroups
  rm -rf "$folder"
fi
