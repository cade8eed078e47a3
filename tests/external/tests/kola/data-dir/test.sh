#!/bin/sh
## kola:
##   exclusive: false
##   description: Links in data are followed, executables in data are no tests.
set -eu
test "$(cat "$KOLA_EXT_DATA/linked.txt")" = "from the top"
test ! -L "$KOLA_EXT_DATA/linked.txt"
test "$("$KOLA_EXT_DATA/tool")" = tool
