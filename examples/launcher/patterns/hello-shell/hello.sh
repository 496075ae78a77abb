#!/bin/sh
# A pattern needs no server: this one is well as long as it keeps its file.
echo "hello from a shell in $NAMESPACE, session $SESSION_ID"
file="${TMPDIR:-/tmp}/hello-shell-$GRPC_PORT"
trap 'rm -f "$file"; exit 0' TERM
: > "$file"
while :; do sleep 0.1; done
