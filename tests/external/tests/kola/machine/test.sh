#!/bin/bash
## kola:
##   platforms: qemu
##   additionalDisks: ["1G:serial=first", "2G"]
##   additionalNics: 2
##   minMemory: 1536
##   minDisk: 11
##   numaNodes: true
##   appendKernelArgs: kola.external=1 kola.other=two
##   appendFirstbootKernelArgs: kola.first=1
##   bindMountHostRO: ["shared,/var/mnt/shared"]
##   allowConfigWarnings: true
##   timeoutMin: 15
##   description: All that a test may ask of its machine; the config warns, which is allowed.
set -euo pipefail
disk() { lsblk --nodeps --noheadings --bytes --output "$1" "$2" | xargs; }
gib=$((1 << 30))
# Additional disks come first, in their order.
test "$(disk SERIAL /dev/vda)" = first
test "$(disk SIZE /dev/vda)" = "$gib"
test "$(disk SIZE /dev/vdb)" = $((2 * gib))
test "$(disk SERIAL /dev/vdc)" = primary-disk
test "$(disk SIZE /dev/vdc)" = $((11 * gib))
test "$(ls -d /sys/class/net/*/device | wc -l)" = 3
for address in 10.0.2.15 10.0.2.31 10.0.2.32; do
    for _ in {1..100}; do
        if ip -4 -brief address | grep -qw "$address"; then continue 2; fi
        sleep 0.2
    done
    exit 1
done
test "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)" -gt $((1300 * 1024))
test "$(</sys/devices/system/node/online)" = 0-1
for argument in kola.external=1 kola.other=two kola.first=1; do
    grep -qw "$argument" /proc/cmdline
done
test "$(</var/mnt/shared/greeting)" = "from the host"
if touch /var/mnt/shared/mine; then
    exit 1
fi
test "$(stat -c '%a %U' /etc/kola-config)" = "640 nest"
test "$(</etc/kola-config)" = "from Butane"
systemctl is-active kola-from-butane.service
