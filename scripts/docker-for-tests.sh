#!/usr/bin/env bash
# Starts a private Docker engine for the container tests and builds the image local-node without a registry.
# Prints the one line `DOCKER_HOST=unix://…`. `stop` ends the engine when nobody else uses it: `start <pid>` and `stop <pid>` are for a
# program that uses it for as long as it runs; without a pid it is kept until a `stop` without one.
# Where no engine can be had it says why and exits with 1: the tests are then skipped, loudly.
set -euo pipefail
state="${TMPDIR:-/tmp}/mimas-docker-$(id -u)"
socket="$state/docker.sock"
action="${1:-start}"
user="${2:-manual}"

exec 9>"$state.lock"
flock 9

if [ "$action" = stop ]; then
  rm -f "$state/users/$user"
  for other in "$state"/users/*; do
    name="$(basename "$other")"
    case "$name" in
      manual) exit 0 ;;
      '*') ;;
      *) if kill -0 "$name" 2>/dev/null; then exit 0; else rm -f "$other"; fi ;;
    esac
  done
  pid="$(cat "$state/pid" 2>/dev/null || true)"
  if [ -n "$pid" ]; then
    kill "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  fi
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
  setsid dockerd --data-root "$state/data" --exec-root "$state/exec" -p "$state/pid" -H "unix://$socket" >"$state/log" 2>&1 </dev/null 9>&- &
  for _ in $(seq 100); do answers && break; sleep 0.1; done
  if ! answers; then echo "dockerd does not start:" >&2; tail -5 "$state/log" >&2; exit 1; fi
fi

mkdir -p "$state/users"
touch "$state/users/$user"

# Beside what Node needs: librt, which the TypeScript loader's binary asks for. An image without it is an older one.
if ! curl -sf --unix-socket "$socket" http://docker/images/local-node/json | grep -q '"mimas.with":"librt"'; then
  root="$(mktemp -d)"
  trap 'rm -rf "$root"' EXIT
  node="$(readlink -f "$(command -v node)")"
  for file in $(ldd "$node" | grep -oE '/[^ ]+\.so[^ ]*'); do mkdir -p "$root$(dirname "$file")"; cp -L "$file" "$root$file"; done
  mkdir -p "$root/usr/bin" "$root/bin" "$root/tmp" "$root/etc"
  rt="$(dirname "$(ldd "$node" | grep -oE '/[^ ]+/libc\.so[^ ]*' | head -1)")/librt.so.1"
  mkdir -p "$root$(dirname "$rt")"
  cp -L "$rt" "$root$rt"
  cp "$node" "$root/usr/bin/node"
  cp /bin/busybox "$root/bin/busybox"
  ln -s busybox "$root/bin/sh"
  tar -C "$root" -cf - . | curl -sf --unix-socket "$socket" -X POST -H 'Content-Type: application/x-tar' --data-binary @- "http://docker/images/create?fromSrc=-&repo=local-node&changes=ENTRYPOINT%20%5B%22%2Fusr%2Fbin%2Fnode%22%5D&changes=LABEL%20mimas.with%3Dlibrt" >/dev/null
fi
echo "DOCKER_HOST=unix://$socket"
