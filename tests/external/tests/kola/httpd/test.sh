#!/bin/bash
## kola:
##   exclusive: false
##   description: kolet serves files over HTTP with what every guest has.
set -euo pipefail
systemd-run --unit=kola-http --working-directory="$KOLA_EXT_DATA" \
    /usr/local/bin/kolet httpd --port 8123 --path ./
base=http://127.0.0.1:8123
for _ in {1..50}; do
    if curl -sf "$base/plain.txt" >/run/answer; then break; fi
    sleep 0.2
done
cmp /run/answer "$KOLA_EXT_DATA/plain.txt"
dd if=/dev/urandom of="$KOLA_EXT_DATA/random" bs=64K count=16 status=none
curl -sf "$base/random" | cmp - "$KOLA_EXT_DATA/random"
curl -sf "$base/sub/with%20blank.txt?query" | grep -qx "in a subdirectory"
curl -sf "$base/sub/" | grep -q "with blank.txt"
curl -sfI "$base/plain.txt" | grep -qi "^content-length: $(stat -c %s "$KOLA_EXT_DATA/plain.txt")"
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
test "$(status "$base/nothing")" = 404
test "$(status --path-as-is "$base/../../etc/passwd")" = 400
test "$(status -X POST "$base/plain.txt")" = 501
