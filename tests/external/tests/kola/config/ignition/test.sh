#!/bin/sh
## kola:
##   description: config.ign is merged into the machine's Ignition config.
set -eu
test "$(cat /etc/kola-config)" = ignition
