#!/usr/bin/env bash
# Starts a private Docker engine for the container tests and builds the image local-node without a registry.
# Prints the one line `DOCKER_HOST=unix://…`; `scripts/docker-for-tests.sh stop` ends the engine again.
# Where no engine can be had it says why and exits with 1: the tests are then skipped, loudly.
set -euo pipefail
state="${TMPDIR:-/tmp}/mimas-docker-$(id -u)"
socket="$state/docker.sock"

if [ "${1:-start}" = stop ]; then
  [ -s "$state/pid" ] && kill "$(cat "$state/pid")" && while kill -0 "$(cat "$state/pid" 2>/dev/null || echo 0)" 2>/dev/null; do sleep 0.1; done
  rm -rf "$state"
  exit 0
fi

answers() { curl -sf --max-time 5 --unix-socket "$socket" http://docker/_ping >/dev/null 2>&1; }

if ! command -v dockerd >/dev/null || [ ! -x /bin/busybox ]; then
  { apt-get update && apt-get install -y --no-install-recommends docker.io iptables busybox-static curl; } >/dev/null 2>&1 || true
fi
if ! command -v dockerd >/dev/null; then echo 'no dockerd here, and none could be installed (docker.io of Debian, as root)' >&2; exit 1; fi

if ! answers; then
  rm -rf "$state"
  mkdir -m 700 -p "$state"
  setsid dockerd --data-root "$state/data" --exec-root "$state/exec" -p "$state/pid" -H "unix://$socket" >"$state/log" 2>&1 </dev/null &
  for _ in $(seq 100); do answers && break; sleep 0.1; done
  if ! answers; then echo "dockerd does not start:" >&2; tail -5 "$state/log" >&2; exit 1; fi
fi

if ! curl -sf --unix-socket "$socket" http://docker/images/local-node/json >/dev/null; then
  root="$(mktemp -d)"
  trap 'rm -rf "$root"' EXIT
  node="$(readlink -f "$(command -v node)")"
  for file in $(ldd "$node" | grep -oE '/[^ ]+\.so[^ ]*'); do mkdir -p "$root$(dirname "$file")"; cp -L "$file" "$root$file"; done
  mkdir -p "$root/usr/bin" "$root/bin" "$root/tmp" "$root/etc"
  cp "$node" "$root/usr/bin/node"
  cp /bin/busybox "$root/bin/busybox"
  ln -s busybox "$root/bin/sh"
  tar -C "$root" -cf - . | curl -sf --unix-socket "$socket" -X POST -H 'Content-Type: application/x-tar' --data-binary @- "http://docker/images/create?fromSrc=-&repo=local-node&changes=ENTRYPOINT%20%5B%22%2Fusr%2Fbin%2Fnode%22%5D" >/dev/null
fi
echo "DOCKER_HOST=unix://$socket"
