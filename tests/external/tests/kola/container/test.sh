#!/bin/sh
## kola:
##   injectContainer: true
##   description: The OCI archive of the build under test is at hand; fails where the build has none.
set -eu
tar -tf "$KOLA_EXT_OSTREE_OCIARCHIVE" | grep -qx oci-layout
