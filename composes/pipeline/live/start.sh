#!/bin/sh
# Run in the initramfs before the root file system is mounted: find the medium, then bring its system onto a disk, or
# let it start from the medium with a layer in memory over it.
# What is wanted comes from the kernel's arguments debatomic.NAME=VALUE, or from systemd credentials of the same name.
set -u
. /usr/lib/debatomic/live.conf     # label, root_offset, root_size, root_type, root_options
here=/run/debatomic

say() {
    for console in $(cat /sys/class/tty/console/active); do
        printf '\r\ndebatomic: %s\r\n' "$*" >"/dev/$console"
    done
}

fail() {
    say "failed: $*"
    exit 1
}

setting() { # NAME DEFAULT
    if [ -r "/run/credentials/@system/debatomic.$1" ]; then
        cat "/run/credentials/@system/debatomic.$1"
        return
    fi
    found=$2
    for word in $(cat /proc/cmdline); do
        case $word in "debatomic.$1="*) found=${word#*=} ;; esac
    done
    echo "$found"
}

mount_medium() {
    mkdir -p "$here/medium" "$here/system" "$here/lower" "$here/memory"
    modprobe -q -a loop isofs squashfs overlay
    mount -t iso9660 -o ro "/dev/disk/by-label/$label" "$here/medium" || fail "the medium cannot be mounted."
    mount -t squashfs -o ro,loop "$here/medium/live/system.squashfs" "$here/system" || fail "the medium is damaged."
    cp /usr/lib/debatomic/install "$here/install"
}

layer() {
    mount -t "$root_type" -o "loop,offset=$root_offset,sizelimit=$root_size,$root_options" "$here/system/disk.raw" \
        "$here/lower" || fail "the system on the medium cannot be mounted."
    mount -t tmpfs -o mode=0755 debatomic "$here/memory" || fail "there is no memory for changes."
    mkdir "$here/memory/upper" "$here/memory/work"
}

install() {
    say "installing unattended"
    { "$here/install" "$(setting disk auto)" "$(setting erase no)" 2>&1; echo $? >"$here/status"; } |
        while IFS= read -r line; do say "$line"; done
    if [ "$(cat "$here/status")" != 0 ]; then
        say "Nothing was installed. Restart the machine to try again, or choose the live system."
        while :; do sleep 3600; done
    fi
    case $(setting then poweroff) in
        reboot) say "restarting"; systemctl reboot --force --force ;;
        *) say "switching off; take the medium away"; systemctl poweroff --force --force ;;
    esac
    while :; do sleep 3600; done
}

mount_medium
if [ "$(setting start live)" = install ]; then install; else layer; fi
