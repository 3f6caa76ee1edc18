#!/bin/bash
# Run inside a clean Debian: the one file with nothing but python3, then the package, from its installation to its removal.
# Prints a line for each thing that holds, and ends with status 1 at the first that does not.
set -eu
export DEBIAN_FRONTEND=noninteractive PAGER=cat MANPAGER=cat
cd /tmp/uvirtio-release

holds() {  # WHAT PATTERN COMMAND...: its output has the pattern, and its status is 0
    local what=$1 pattern=$2 said
    shift 2
    if said=$("$@" 2>&1) && grep -qE -- "$pattern" <<<"$said"; then
        echo "holds: $what"
    else
        printf 'does not hold: %s\n%s\n' "$what" "$said"
        exit 1
    fi
}

refuses() {  # WHAT STATUS PATTERN COMMAND...: it ends with this status and says so
    local what=$1 status=$2 pattern=$3 said ended=0
    shift 3
    said=$("$@" 2>&1 </dev/null) || ended=$?
    if [ "$ended" = "$status" ] && grep -qE -- "$pattern" <<<"$said"; then
        echo "holds: $what"
    else
        printf 'does not hold (status %s): %s\n%s\n' "$ended" "$what" "$said"
        exit 1
    fi
}

ours() {
    find / -xdev -path /tmp/uvirtio-release -prune -o -path /var/cache/man -prune -o -path /proc -prune -o -path /sys -prune -o \
        -ipath '*uvirtio*' -print
}

apt-get update -q >/dev/null
apt-get install -qy --no-install-recommends python3 >/dev/null
holds "the one file says which version it is" "^uvirtio [0-9]" ./uvirtio.pyz --version
holds "the one file lists what is here" . ./uvirtio.pyz list
holds "the one file suspends and resumes" "^PASS" ./uvirtio.pyz suspend emulated:rng
holds "the one file judges" "^PASS" ./uvirtio.pyz check emulated:blk --only B
refuses "the one file has the interface, and wants a terminal for it" 3 "terminal" ./uvirtio.pyz tui
[ -z "$(ours)" ] && echo "holds: the one file leaves nothing behind"

apt-get install -qy --no-install-recommends man-db bash-completion >/dev/null
apt-get install -qy --no-install-recommends ./uvirtio_*_all.deb >/dev/null
holds "the package lists what is here" . uvirtio list
holds "the package suspends and resumes" "^PASS" uvirtio suspend emulated:rng
holds "the package judges" "^PASS" uvirtio check emulated:blk --only B
holds "the package shows a device" "VIRTIO_NET_F_MAC|MAC" uvirtio show emulated:net
holds "registers are mapped by Debian's python3-periphery" "mapped 4096" python3 -I registers.py
holds "the manual page is there" "UVIRTIO" man uvirtio
holds "bash completes the commands" "suspend" bash -c '
. /usr/share/bash-completion/bash_completion
. /usr/share/bash-completion/completions/uvirtio
COMP_WORDS=(uvirtio sus) COMP_CWORD=1 COMP_LINE="uvirtio sus" COMP_POINT=11
"$(complete -p uvirtio | sed "s/.*-F \([^ ]*\) .*/\1/")" uvirtio sus uvirtio
echo "${COMPREPLY[@]}"'
holds "the udev rule is there" "uio_pci_generic" cat /usr/lib/udev/rules.d/60-uvirtio.rules
refuses "the interface is refused in one sentence" 3 "^uvirtio: textual .* uvirtio.pyz" uvirtio tui
apt-get purge -qy uvirtio >/dev/null
[ -z "$(ours)" ] || { printf 'does not hold: what is removed is gone\n%s\n' "$(ours)"; exit 1; }
echo "holds: what is removed is gone"
