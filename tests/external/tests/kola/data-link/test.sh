#!/bin/sh
## kola:
##   exclusive: false
##   description: data may itself be a link.
set -eu
test "$("$KOLA_EXT_DATA/tool")" = tool
