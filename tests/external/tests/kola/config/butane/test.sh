#!/bin/sh
## kola:
##   description: config.bu is translated first.
set -eu
test "$(cat /etc/kola-config)" = butane
