#!/bin/sh
## kola:
##   description: Where both lie, config.ign wins.
set -eu
test "$(cat /etc/kola-config)" = ignition
