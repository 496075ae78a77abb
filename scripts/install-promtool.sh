#!/bin/sh
# Installs promtool, which test/manager/prometheus.test.ts checks the exposition with. Debian and Ubuntu ship it with prometheus.
# Run by hand or by CI; without it that one test is skipped, loudly.
set -eu
command -v promtool >/dev/null && { promtool --version; exit 0; }
apt-get install -y --no-install-recommends prometheus
promtool --version
