#!/bin/sh
## kola:
##   exclusive: false
##   description: Among others, test.sh keeps its name.
set -eu
test "$KOLA_TEST" = ext.external.names.test-sh-among-others.test.sh
