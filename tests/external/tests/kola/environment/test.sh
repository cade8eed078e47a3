#!/bin/bash
## kola:
##   description: What the unit protocol promises.
set -euo pipefail
test "$(id -u)" = 0
test "$KOLA_TEST" = ext.external.environment
test "$KOLA_TEST_EXE" = test.sh
test "$KOLA_UNIT" = kola-runext.service
test "$KOLA_EXT_DATA" = /var/opt/kola/extdata
test -z "${AUTOPKGTEST_REBOOT_MARK+x}"
test -z "${KOLA_EXT_OSTREE_OCIARCHIVE+x}"
test "$0" = /usr/local/bin/kola-runext-test.sh
show() { systemctl show --property="$1" --value "$KOLA_UNIT"; }
test "$(show Type)" = simple
test "$(show RemainAfterExit)" = yes
test "$(show MainPID)" = $$
