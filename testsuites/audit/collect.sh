# Prints a record of the whole system, section by section. Runs once, as root, in POSIX sh.
# A process costs about a tenth of a second on an emulator: list much at once, judge elsewhere (record.py).
set -u
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_COLORS=0 SYSTEMD_PAGER=cat
default_user=$1

# A record has no empty lines, and a unit need not have every property.
show() { systemctl show "$@" | sed 's/^$/--/'; }
section() { printf '\n@@ %s\n' "$*"; }

# Bad items of every kind that a search is to find. Who does not list them cannot be trusted (proofs.py).
canary=$(mktemp -d /var/tmp/kola-audit.XXXXXX) || exit 1
trap 'chattr -i "$canary/fixed"; rm -rf "$canary" /etc/sudoers.d/kola-audit-canary' EXIT
chmod 755 "$canary"
: > "$canary/setuid" && chmod 4755 "$canary/setuid"
: > "$canary/open" && chmod 666 "$canary/open"
mkdir "$canary/open.d" && chmod 777 "$canary/open.d"
mknod -m 600 "$canary/device" c 1 3
: > "$canary/.hidden" && chmod 2755 "$canary/.hidden"
: > "$canary/orphan" && chown 54321:54321 "$canary/orphan"
printf -- '-----BEGIN %s-----\n' 'CANARY PRIVATE KEY' > "$canary/secret"
printf 'ssh-ed25519 %s canary\n' 'AAAAC3NzaC1lZDI1NTE5AAAAICanary' > "$canary/public"
: > "$canary/capable" && setcap cap_net_raw+ep "$canary/capable"
: > "$canary/fixed" && chattr +i "$canary/fixed"
printf -- '-----BEGIN %s-----\nCANARY\n-----END %s-----\n' CERTIFICATE CERTIFICATE > "$canary/authority.crt"

section canary
echo "$canary"
section passwd
cat /etc/passwd
section getent-passwd
getent passwd
section getent-group
getent group
section shadow
cat /etc/shadow
section gshadow
cat /etc/gshadow
section subuid
cat /etc/subuid
section subgid
cat /etc/subgid
section shipped-accounts
cat /usr/etc/passwd /usr/lib/passwd 2>/dev/null
section shipped-groups
cat /usr/etc/group /usr/lib/group 2>/dev/null

# What the shell itself reads and lists, against which programs are held.
reads() { while IFS= read -r line; do printf '%s\n' "$line"; done; }
section read-accounts
for file in passwd group shadow gshadow; do reads < "/etc/$file"; done
section cat-accounts
cat /etc/passwd /etc/group /etc/shadow /etc/gshadow
section read-sysctl
for key in kernel/modprobe kernel/core_pattern fs/suid_dumpable fs/protected_symlinks net/ipv4/ip_forward; do
    read -r value < "/proc/sys/$key" && printf '%s = %s\n' "$key" "$value"
done
section globbed
printf '%s\n' /etc/* /etc/.[!.]* /etc/*/* /etc/*/.[!.]* /etc/*/*/* /etc/*/*/.[!.]* /var/usrlocal/*/* \
    /var/usrlocal/*/.[!.]* /var/opt/* /var/opt/.[!.]* /var/roothome/* /var/roothome/.[!.]* /var/home/*/* \
    /var/home/*/.[!.]* /var/lib/* /var/lib/.[!.]* /var/spool/* /var/spool/*/*

section files
# An unlocked /usr is a file system of its own.
usr=
[ "$(stat -c %d /)" = "$(stat -c %d /usr)" ] || usr=/usr
# shellcheck disable=SC2086 # one word or none
find / $usr /boot /var /run /tmp /dev /dev/shm -xdev \
    \( -path /sysroot/ostree -o -path "/run/user/*/doc" \) -prune -o \( \
    \( -path "/usr/*" -o -path "$canary/secret" \) -type f -size +0 -newermt 1970-01-02 \
    -fprintf "$canary/retimed" '%p\n' , -printf '%y %m %U %G %s %p\t%l\n' \)
# ostree gives all files of a commit the same time, the first second of 1970, except for empty ones.
section retimed
cat "$canary/retimed"
# A deployment's files are links to the repository's objects, until somebody puts others in their place.
section unlinked
find /usr -xdev -type f -size +0 -links 1
section capabilities
getcap -r /etc /usr /var /boot /run
section attributes
find /etc /boot /var -xdev \( -path /var/lib/containers -o -path /var/lib/docker \) -prune -o \( -type f -o -type d \) \
    -exec lsattr -d {} + 2>/dev/null | grep -E '^[-A-Za-z]*[ia][-A-Za-z]* '
section access-lists
ls -ldn "$canary/open"
find /etc /boot /var /run -xdev \( -path /var/lib/containers -o -path /var/lib/docker \) -prune -o ! -type l \
    -exec ls -ldn --time-style=+ {} + 2>/dev/null | sed -nE 's,^.{10}\+ [^/]*(/.*),\1,p'
section space
df -B1 --output=target,size,avail,iavail / /boot /var 2>/dev/null
section digests
sha256sum "$canary/secret"
find /etc /usr/etc -xdev -type f -exec sha256sum {} +
find /var/home/* /var/roothome -xdev -maxdepth 1 -type f -name '.*' -exec sha256sum {} + 2>/dev/null
find /boot -xdev \( -name '*.cfg' -o -name '*.conf' -o -name grubenv -o -name '*.lua' \) -type f -exec sha256sum {} +
# The first lines in which each file of /etc differs from the build's, and those of files that were added.
section etc-changes
diff -rNU0 --no-dereference -x '*shadow*' -x 'ssh_host_*' -x machine-id /usr/etc /etc 2>/dev/null | awk '
    /^diff / { file = ""; next }
    /^[+][+][+] / { file = $2; lines = 0; next }
    file != "" && /^[-+]./ && ++lines <= 6 { print file "\t" substr($0, 1, 100) }'
# /etc of the deployments that do not run, and what the build ships there.
section other-etc
for tree in /ostree/deploy/*/deploy/*.[0-9]*; do
    [ -d "$tree/etc" ] && ! [ "$tree/etc" -ef /etc ] || continue
    (cd "$tree" && find etc usr/etc -xdev -type f -exec sha256sum {} + | sed "s,  ,  ${tree##*/} ,")
done
section secrets
grep -rsIHE --devices=skip -e '-----BEGIN [A-Z ]*PRIVATE KEY' -e 'aws_secret_access_key' \
    -e '(AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|glpat-[A-Za-z0-9_-]{20}|AGE-SECRET-KEY-1)' \
    -e '^[[:space:]]*(client-key-data:|psk=)' -e '"auth" *: *"[A-Za-z0-9+/=]{8,}"' \
    -e '(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp[0-9]+|sk-[a-z0-9-]+@openssh\.com|ssh-[a-z0-9-]+-cert-v01@openssh\.com) AAAA' \
    /etc /usr/etc /var /run /boot /tmp
section passwords
grep -rsIHiE --devices=skip \
    -e '^[[:space:]]*(export +|-? *|environment="?)[a-z0-9_.-]*(password|passwd|passphrase|secret|token|api_?key|access_?key|authtok)"? *[=:] *[^[:space:]$%{(#<*]' \
    -e '[?&;,[:space:]](password|passwd|pass|token)=[^[:space:]$%{(&]{4}' -e '[a-z]+://[^/:@[:space:]]+:[^/@[:space:]$%{]+@' \
    /etc /usr/etc /var/home /var/roothome /var/lib /var/opt /var/usrlocal /var/spool /run/systemd/system \
    /usr/lib/systemd/system

section sudo
printf 'nobody ALL = (root) /bin/kola-audit-canary\n' > /etc/sudoers.d/kola-audit-canary
chmod 440 /etc/sudoers.d/kola-audit-canary
getent passwd | cut -d: -f1 | while read -r account; do
    sudo -n -l -U "$account" 2>&1 | sed "s/^/$account: /"
done
rm -f /etc/sudoers.d/kola-audit-canary

section processes
ps -eo pid=,user:32=,comm=,args= -ww
section cgroups
ps -eo pid=,ppid=,tty=,comm=,cgroup= -ww
section programs
find /proc -maxdepth 2 -name exe -printf '%h %l\n' 2>/dev/null
section hosts
cat /etc/hosts
section hosts-shipped
cat /usr/etc/hosts 2>/dev/null
section hostname
hostname
section sockets
ss -Hlntup
section unix-sockets
ss -Hlxp
section vsock
ss -Hl --vsock -p
section proc-net
grep -H . /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6
section proc-unix
cat /proc/net/unix

# Each sshd that runs, with its own arguments; where none does, the one a socket would start.
daemons=$(ps -eo args= -ww | sed -n 's/^sshd: \([^ ]*sshd .*\) \[listener\].*/\1/p' | sort -u)
shells=$(getent passwd | awk -F: '$7 !~ /(nologin|false)$/ { print $1 }')
printf '%s\n' "${daemons:-/usr/sbin/sshd}" | while read -r program arguments; do
    for user in $shells nobody; do
        for address in 203.0.113.7 10.0.2.2; do
            section sshd "$user" "$address" "$program" "$arguments"
            # shellcheck disable=SC2086 # one word for each argument
            "$program" $arguments -T -C "user=$user,host=client.example,addr=$address" 2>&1
        done
    done
    # Without Match, one account without a shell is like the others.
    [ "$arguments" != -D ] || grep -rqisE '^[[:space:]]*(match|include[[:space:]]+/(etc/[^s]|[^e]))' /etc/ssh || continue
    for user in $(getent passwd | awk -F: '$7 ~ /(nologin|false)$/ && $1 != "nobody" { print $1 }'); do
        section sshd "$user" 203.0.113.7 "$program" "$arguments"
        # shellcheck disable=SC2086
        "$program" $arguments -T -C "user=$user,host=client.example,addr=203.0.113.7" 2>&1
    done
done

# The first sshd once more: as the build ships it, and with settings that it must show.
first=$(printf '%s\n' "${daemons:-/usr/sbin/sshd}" | sed -n '1s/ .*//p')
first=${first:-/usr/sbin/sshd}
if [ -e /usr/etc/ssh/sshd_config ]; then
    sed 's,/etc/ssh/sshd_config.d,/usr/etc/ssh/sshd_config.d,' /usr/etc/ssh/sshd_config > "$canary/sshd_config"
    section sshd-shipped
    "$first" -T -f "$canary/sshd_config" -C "user=nobody,host=client.example,addr=203.0.113.7" 2>&1
fi
section sshd-canary
"$first" -T -C "user=nobody,host=client.example,addr=203.0.113.7" -o PasswordAuthentication=yes \
    -o KbdInteractiveAuthentication=yes -o PermitRootLogin=yes -o PermitEmptyPasswords=yes \
    -o HostbasedAuthentication=yes -o AuthorizedKeysFile=/canary 2>&1

section sshd-matches
grep -rHisE '^[[:space:]]*match[[:space:]]' /etc/ssh

section units
systemctl list-units --all --plain --no-legend --full
section jobs
systemctl list-jobs --no-legend
section manager
busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager \
    NFailedUnits
section services
show -p Id,ActiveState,SubState,NRestarts,Result,WatchdogUSec,FragmentPath,TriggeredBy,Transient,Listen,MainPID,ControlPID \
    $(systemctl list-units --plain --no-legend --full --type=service,socket,timer,path | cut -d' ' -f1)
# A process that is in both lists was there while systemd named the main processes.
section processes-later
printf '%s\n' /proc/[0-9]*
section engines
show -p Id,LoadState,ActiveState,UnitFileState,FragmentPath,TriggeredBy,WantedBy,RequiredBy \
    docker.service docker.socket containerd.service podman.service podman.socket \
    isulad.service isulad.socket crio.service
section gettys
show -p Id,ExecStart 'getty@*.service' 'serial-getty@*.service' console-getty.service
section default-target
readlink -f /etc/systemd/system/default.target || readlink -f /usr/lib/systemd/system/default.target
section install
grep -rHsE '^(Also|Alias|WantedBy|RequiredBy|UpheldBy)=.' /etc/systemd/system /usr/lib/systemd/system
section unit-files
grep -rHsE '^(Exec[A-Za-z]*=.*(dockerd|containerd|isulad|crio|podman +(system +service|play|kube|run|start))|Exec[A-Za-z]*=.*/(sshd|dropbear|in\.telnetd|telnetd|rlogind|rshd|socat|ncat|nc)([[:space:]]|$)|LogLevelMax=|LogFilterPatterns=|LogNamespace=|Standard(Output|Error)=null)' \
    /etc/systemd /run/systemd/system /run/systemd/generator /run/systemd/generator.late /run/systemd/transient \
    /usr/lib/systemd/system /usr/local/lib/systemd /var/home/*/.config/systemd /var/roothome/.config/systemd
section wait-online
show -p Id,LoadState,UnitFileState,ActiveState,Result,ExecStart,WantedBy,Before \
    NetworkManager-wait-online.service systemd-networkd-wait-online.service
# What packets meet: rules, filters, interfaces, routes. A network of its own shows that the tool lists rules.
section packet-rules
iptables-save 2>/dev/null
ip6tables-save 2>/dev/null
section nft-rules
nft list ruleset 2>/dev/null
section packet-rules-canary
unshare -n sh -c 'iptables -t nat -N KOLA-AUDIT && { echo planted; iptables-save; }' 2>/dev/null
section interfaces
ip -d -o link show
section read-interfaces
for interface in /sys/class/net/*/; do echo "$interface"; done
section traffic
tc qdisc show
section traffic-filters
tc qdisc show | sed -nE 's/^qdisc (clsact|ingress) .* dev ([^ ]*).*/\2/p' | while read -r interface; do
    tc filter show dev "$interface" ingress
    tc filter show dev "$interface" egress
done 2>/dev/null
section routing-rules
ip -4 rule show
ip -6 rule show
section routes
ip -4 route show table all
ip -6 route show table all
section names
cat /etc/resolv.conf
section given-names
nmcli -g IP4.DNS,IP6.DNS,IP4.DOMAIN,IP4.SEARCHES,IP6.DOMAIN,IP6.SEARCHES device show 2>/dev/null
section container-names
grep -rHsE '^[[:space:]]*(dns_servers|dns_options|dns_searches|no_hosts|base_hosts_file|volumes|env)[[:space:]]*=|"(dns|dns-opts|dns-search)"' \
    /etc/containers /etc/docker /etc/isulad /usr/etc/containers /usr/etc/docker /usr/etc/isulad
section engine-settings
grep -rHs '' /etc/docker/daemon.json /etc/isulad/daemon.json /var/home/*/.config/docker/daemon.json \
    /etc/containers/registries.conf /etc/containers/registries.conf.d /usr/share/containers/registries.conf \
    /usr/share/containers/registries.conf.d /var/home/*/.config/containers/registries.conf \
    /var/home/*/.config/containers/registries.conf.d /var/roothome/.config/containers/registries.conf \
    /var/roothome/.config/containers/registries.conf.d
section engine-options
grep -rHsE '^[^#;]*(tcp:|tlsverify|--insecure-registry|--registry-mirror)|^ListenStream=[^/@%]' \
    /etc/default/docker* /etc/sysconfig/docker* /etc/sysconfig/i[sS]ula* /etc/systemd/system/docker* \
    /etc/systemd/system/podman* /etc/systemd/system/isula* /run/systemd/system/docker* /run/systemd/system/podman* \
    /run/systemd/system/isula* /usr/local/lib/systemd /usr/lib/systemd/system/docker* \
    /usr/lib/systemd/system/podman* /usr/lib/systemd/system/isula* /var/home/*/.config/systemd
# Certificates that are trusted, and are in no file below /usr/share of the package ca-certificates.
section authorities
rpm -ql ca-certificates 2>/dev/null | grep '^/usr/share/.*[.]' > "$canary/known"
{
    while IFS= read -r file; do [ -f "$file" ] && printf '%s\n' "$file"; done < "$canary/known"
    echo "$canary/authority.crt"
    find -L /etc/ssl /etc/pki/ca-trust /etc/pki/tls /etc/ca-certificates /etc/docker/certs.d \
        /etc/containers/certs.d /usr/local/share/ca-certificates /usr/local/share/pki /usr/share/ca-certificates \
        /usr/share/pki/ca-trust-source -type f ! -path '*/blocklist/*' ! -path '*/blacklist/*' \
        \( -name '*.crt' -o -name '*.pem' -o -name '*.cer' -o -name '*.p11-kit' -o -name '*.[0-9]' \) 2>/dev/null
} | tr '\n' '\0' | xargs -0 awk -v list="$canary/known" '
    BEGIN { while ((getline file < list) > 0) package[file] = 1 }
    /^-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/ {
        inside = !(/TRUSTED/ && FILENAME ~ /[/]extracted[/]/)
        body = ""
        next
    }
    /^-----END / {
        if (inside && FILENAME in package) { known[body] = 1; count++ }
        else if (inside && !(body in known)) print FILENAME "\t" body
        inside = 0
        next
    }
    inside { gsub(/[ \t\r]/, ""); body = body $0 }
    END { print "known\t" count + 0 }'
# Host keys of whole domains that the SSH client takes on somebody's word.
section host-authorities
grep -Hs '^@cert-authority' /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2 /etc/ssh/ssh_known_hosts.d/*
section proxies
grep -rHsiE '^[^#;]*((https?|all)[_-]?proxy|^proxy *=)' /etc/environment /etc/environment.d /etc/profile /etc/profile.d \
    /etc/systemd /run/systemd/system /usr/lib/systemd /usr/lib/environment.d /etc/containers /usr/share/containers \
    /etc/docker /etc/isulad /etc/default /etc/sysconfig /etc/rpm-ostreed.conf /etc/yum.repos.d /etc/dnf \
    /etc/ostree/remotes.d /var/home/*/.docker /var/home/*/.config /var/roothome/.docker /var/roothome/.config
section clock
chronyc -c -n tracking 2>&1
section clock-config
grep -rHsE '^[[:space:]]*[a-z]' /etc/chrony.conf /etc/chrony /etc/chrony.d /run/chrony.d

section environment
systemctl show-environment
# Variables with which every program of a login loads or runs what they name.
section variables
grep -rHsE '^[^#]*\<(BASH_ENV|LD_PRELOAD|LD_AUDIT|LD_LIBRARY_PATH|PYTHONSTARTUP|PYTHONPATH|PERL5OPT|PERL5LIB|GCONV_PATH)( +DEFAULT)?=' \
    /etc/environment /etc/environment.d /usr/lib/environment.d /etc/security/pam_env.conf /etc/profile /etc/profile.d \
    /etc/bash.bashrc /etc/bashrc /etc/skel
section limits
grep -rHsE '^[^#]+[[:space:]](hard|-)[[:space:]]' /etc/security/limits.conf /etc/security/limits.d
section user-controllers
uid=$(id -u "$default_user")
cat "/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service/cgroup.controllers" 2>/dev/null
section disk-caches
grep -Hs . /sys/block/*/queue/write_cache /sys/block/*/cache_type
section adjtime
cat /etc/adjtime 2>/dev/null
section presets
grep -rHsE '^ *(enable|disable|ignore) ' /etc/systemd/system-preset /run/systemd/system-preset \
    /usr/local/lib/systemd/system-preset /usr/lib/systemd/system-preset
section user-units
for socket in /run/user/*/systemd/private; do
    [ -S "$socket" ] || continue
    runtime=${socket%/systemd/private}
    name=$(getent passwd "${runtime##*/}" | cut -d: -f1)
    runuser -u "$name" -- env "XDG_RUNTIME_DIR=$runtime" \
        systemctl --user list-units --all --plain --no-legend --full 2>&1 | sed "s/^/$name: /"
done

# Where it is not mounted nobody has a handler, and a look would mount it.
section binary-handlers
grep -q ' binfmt_misc ' /proc/mounts && grep -Hs . /proc/sys/fs/binfmt_misc/*
section cmdline
cat /proc/cmdline
section modules
cut -d' ' -f1 /proc/modules
section mounts
cat /proc/1/mountinfo
section swaps
cat /proc/swaps
section tmpfiles
systemd-tmpfiles --cat-config 2>/dev/null | grep -E '^(# /|[a-zA-Z])'
section loopback
ip -o address show dev lo
section sysctl
sysctl -a 2>/dev/null
section sysctl-config
grep -rHsE '^ *[^#; ]' /usr/lib/sysctl.d /usr/local/lib/sysctl.d /run/sysctl.d /etc/sysctl.d /etc/sysctl.conf
section grubenv
grep -aHsE '^[a-z_]+=.' /boot/grub*/grubenv /boot/efi/EFI/*/grubenv
section entries
grep -H '' /boot/loader/entries/*.conf
section bootlinks
cat /boot/loader/entries/*.conf | tr ' ' '\n' | sed -n 's/^ostree=//p' | sort -u | while read -r link; do
    echo "$link $(readlink -f "/sysroot$link")"
done
# Kernel and initramfs of each entry that are those of the deployment it boots, byte for byte.
section boot-files
for entry in /boot/loader/entries/*.conf; do
    linux='' initrd='' link=''
    while read -r key value; do
        case $key in
            linux) linux=$value ;;
            initrd) initrd=${value%% *} ;;
            options) link=${value##*ostree=} link=${link%% *} ;;
        esac
    done < "$entry"
    for file in "/sysroot$link"/usr/lib/modules/*/vmlinuz; do
        cmp -s "/boot$linux" "$file" && echo "$entry linux"
    done
    for file in "/sysroot$link"/usr/lib/modules/*/initramfs*; do
        cmp -s "/boot$initrd" "$file" && echo "$entry initrd"
    done
    cmp -s "/boot$linux" "/boot$initrd" && echo 'two files that differ'
done
section ostree-status
ostree admin status
section commit
commit=$(ostree admin status | sed -n 's/^\* [^ ]* \([0-9a-f]*\)\..*/\1/p')
echo "$commit $(sha256sum < "/ostree/repo/objects/$(echo "$commit" | cut -c1-2)/$(echo "$commit" | cut -c3-).commit")"
section bound-refs
ostree show --print-metadata-key=ostree.ref-binding "$commit" 2>/dev/null
section remotes
grep -H '' /etc/ostree/remotes.d/*.conf /usr/etc/ostree/remotes.d/*.conf /ostree/repo/config
section origins
grep -H '' /ostree/deploy/*/deploy/*.origin
section os-release
cat /etc/os-release
section packages
rpm -qa --qf '%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH}\n' | sort
section journald
grep -rHsE '^[A-Z][A-Za-z]*=' /usr/lib/systemd/journald.conf.d /run/systemd/journald.conf.d \
    /etc/systemd/journald.conf /etc/systemd/journald.conf.d
section boot-times
systemd-analyze time
section pam
grep -rHsE '^[^#]' /etc/pam.d
section polkit
grep -rHsE '.' /etc/polkit-1 /run/polkit-1 /usr/local/share/polkit-1
# A program without rights must get no name on the system bus. Each answer is `u` and a number, or a refusal.
section bus-names
for name in org.kola.Audit org.freedesktop.systemd1 org.freedesktop.login1; do
    setpriv --reuid=65534 --regid=65534 --clear-groups busctl call org.freedesktop.DBus /org/freedesktop/DBus \
        org.freedesktop.DBus RequestName su "$name" 4 2>&1 | sed "s/^/$name: /"
done
section end
