#!/bin/sh
## kola:
##   exclusive: false
##   description: The only executable, called test.sh, is named after its directory.
set -eu
test "$KOLA_TEST" = ext.external.names.only-test-sh
