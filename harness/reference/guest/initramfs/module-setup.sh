#!/bin/bash
# One dracut module instead of dracut's twenty: the files named in the lists beside this script, nothing else.
# Every unit, udev event and program that is absent here is boot time saved under emulation.

check() {
    return 0
}

depends() {
    return 0
}

_entries() {
    sed -e 's/#.*//' "$moddir/$1.list" | tr -s ' \t\n' ' '
}

installkernel() {
    # shellcheck disable=SC2046
    hostonly='' instmods $(_entries drivers)
}

install() {
    local unit target

    # shellcheck disable=SC2046
    inst_multiple $(_entries programs)
    # shellcheck disable=SC2046
    inst_multiple -o $(_entries files)
    inst_libdir_file 'libnss_files.so*' 'libnss_dns.so*' 'libkmod.so*' 'liblz4.so*' 'libzstd.so*' 'liblzma.so*'

    # shellcheck disable=SC2046
    inst_multiple -o $(for unit in $(_entries units); do echo "$systemdsystemunitdir/$unit"; done)

    inst_simple "$moddir/../30ignition/ignition" /usr/bin/ignition
    for unit in "$moddir"/systemd/*; do
        inst_simple "$unit" "$systemdsystemunitdir/${unit##*/}"
    done
    for unit in "$moddir"/scripts/*; do
        inst_script "$unit" "/usr/lib/nestos/${unit##*/}"
    done
    ln_r /usr/lib/nestos/kargs-helper /usr/sbin/ignition-kargs-helper
    # Debian's Ignition relabels what it writes; there is no SELinux policy to relabel by.
    ln_r "$(find_binary true)" /usr/sbin/setfiles

    while read -r target unit; do
        [[ -n $target && $target != \#* ]] || continue
        mkdir -p "$initdir$systemdsystemunitdir/$target"
        ln_r "$systemdsystemunitdir/$unit" "$systemdsystemunitdir/$target/$unit"
    done < "$moddir/wants.list"

    inst_simple "$moddir/etc/journald.conf" /etc/systemd/journald.conf
    inst_simple "$moddir/etc/system.conf" /etc/systemd/system.conf
    inst_simple "$moddir/etc/90-initrd.network" /etc/systemd/network/90-initrd.network
    inst_simple "$moddir/etc/modprobe.conf" /etc/modprobe.d/nestos.conf
    inst_simple /usr/lib/ignition/base.d/00-nest.ign
    inst_simple "$moddir/etc/11-volumes.rules" /usr/lib/udev/rules.d/11-volumes.rules
    # An encrypted volume is there before it has a file system, and its random key is in no dictionary.
    inst_simple "$moddir/../30ignition/99-xx-ignition-systemd-cryptsetup.rules" \
        /usr/lib/udev/rules.d/99-xx-ignition-systemd-cryptsetup.rules
    inst_simple "$moddir/../30ignition/ignition-luks.conf" /etc/security/pwquality.conf.d/ignition-luks.conf

    mkdir -p "$initdir"/{etc,var,tmp,run,proc,sys,dev,sysroot}
    inst_simple "$moddir/etc/initrd-release" /usr/lib/initrd-release
    ln_r /usr/lib/initrd-release /usr/lib/os-release
    ln_r /usr/lib/initrd-release /etc/initrd-release
    ln_r /usr/lib/os-release /etc/os-release
    : > "$initdir/etc/machine-id"
    : > "$initdir/etc/fstab"
    grep -E '^(root|systemd-network|systemd-journal|messagebus|nobody):' "$dracutsysrootdir/etc/passwd" > "$initdir/etc/passwd"
    grep -E '^(root|adm|tty|disk|kmem|systemd-network|systemd-journal|messagebus|utmp|wheel|kvm|input|video|audio|render|lp|sgx|cdrom|tape|dialout|nogroup):' \
        "$dracutsysrootdir/etc/group" > "$initdir/etc/group"
    printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' > "$initdir/etc/nsswitch.conf"

    ln_r /usr/lib/systemd/systemd /init
    ln_r /usr/lib/systemd/systemd /sbin/init
    ln_r "$systemdsystemunitdir/initrd.target" "$systemdsystemunitdir/default.target"
}
