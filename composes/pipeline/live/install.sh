#!/bin/sh
# usage: install.sh DISK ERASE MEDIUM
# Runs with the medium's programs as its root folder, where disk.raw is what the disk gets. DISK is a device, or auto
# for the only empty disk that is large enough. ERASE is yes where a disk may hold data. MEDIUM is never written to.
set -u
here=${0%/*} mib=1048576
image=$here/disk.raw
. "$here/layout"     # root_number, root_type, root_last (yes or no), commit
wanted=$1 erase=$2
needed=$(stat -c %s "$image")
parents=$(lsblk --noheadings --inverse --paths --output NAME --list "$3" | tr '\n' ' ')

refuse() {
    echo "refused: $*"
    exit 1
}

# Disks a system can be on: no memory, no floppy, no boot partition of a flash chip, nothing without a size.
disks() {
    lsblk --nodeps --noheadings --bytes --paths --output NAME,TYPE,SIZE,RM --exclude 1,2,7,11 |
        while read -r name type size removable; do
            case $name in */zram* | */nbd* | */mmcblk*boot* | */mmcblk*rpmb*) continue ;; esac
            [ "$type" = disk ] && [ "$size" -gt 0 ] && [ "$removable" = 0 ] && echo "$name"
        done
}

# What a disk holds, in words; nothing if it is empty.
held() {
    for part in "/sys/class/block/${1##*/}/${1##*/}"*/partition; do
        [ -e "$part" ] && { echo "partitions"; return; }
    done
    found=$(wipefs --no-act --noheadings --output TYPE "$1" 2>&1 | tr '\n' ' ')
    [ -z "$found" ] || { echo "${found% }"; return; }
    cmp -s -n "$mib" "$1" /dev/zero || echo "something at its beginning"
}

# Why a disk cannot be the one; nothing if it can.
unfit() {
    have=$(blockdev --getsize64 "$1" 2>/dev/null) || { echo "is no disk that can be read"; return; }
    case " $parents " in *" $1 "*) echo "is what this machine was started from"; return ;; esac
    [ "$(blockdev --getro "$1")" = 0 ] || { echo "is write-protected"; return; }
    [ "$have" -ge "$needed" ] || {
        echo "is too small: $((have / mib)) MiB, but the system needs $((needed / mib)) MiB"
        return
    }
    [ "$erase" = yes ] && return
    data=$(held "$1")
    [ -z "$data" ] || echo "holds data ($data); debatomic.erase=yes would overwrite it"
}

choose() {
    [ "$wanted" = auto ] || {
        disk=$(readlink -f "$wanted") && [ -e "$disk" ] || refuse "there is no disk ${wanted:-without a name}."
        why=$(unfit "$disk")
        [ -z "$why" ] || refuse "$disk $why."
        return
    }
    fit='' number=0
    for disk in $(disks); do
        why=$(unfit "$disk")
        if [ -n "$why" ]; then echo "$disk $why."; else fit="$fit $disk" number=$((number + 1)); fi
    done
    [ "$number" -gt 0 ] || refuse "there is no disk to install to."
    [ "$number" = 1 ] || refuse "several disks could be meant:$fit. Name one: debatomic.disk=${fit##* }."
    disk=${fit# }
}

# Zeros first, which many disks do at once; then the pieces that are not zero, each read back.
copy() {
    echo "writing $((needed / mib)) MiB to $disk"
    blkdiscard --zeroout --length "$needed" "$disk" </dev/null || refuse "$disk is in use, or cannot be written."
    while read -r at piece; do
        dd if="$image" of="$disk" bs=1M skip="$at" seek="$at" count="$piece" \
            iflag=skip_bytes,count_bytes oflag=seek_bytes conv=notrunc,fsync status=none ||
            refuse "$disk could not be written; it holds no system now."
        blockdev --flushbufs "$disk"
        cmp -i "$at" -n "$piece" "$image" "$disk" || refuse "$disk does not hold what was written."
        echo "$(((at + piece) * 100 / needed)) %"
    done <"$here/pieces"
}

# The root file system takes the rest of the disk.
grow() {
    have=$(blockdev --getsize64 "$disk")
    [ "$root_last" = yes ] && [ $((have - needed)) -ge $((8 * mib)) ] || return 0
    sfdisk --quiet --no-reread --no-tell-kernel --relocate gpt-bak-std "$disk" 2>/dev/null &&
        echo ', +' | sfdisk --quiet --no-reread --no-tell-kernel -N "$root_number" "$disk" 2>/dev/null || return 1
    # whoever looks at a disk that was just written (udev) keeps it busy for a moment
    for _ in 1 2 3 4 5 6 7 8 9 10; do blockdev --rereadpt "$disk" 2>/dev/null && break; sleep 1; done
    case $disk in *[0-9]) part=${disk}p$root_number ;; *) part=$disk$root_number ;; esac
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -b "$part" ] && break; sleep 1; done
    case $root_type in
        ext4) e2fsck -f -y "$part" >/dev/null 2>&1; resize2fs "$part" >/dev/null 2>&1 ;;
        xfs) mount -t xfs "$part" /mnt && xfs_growfs /mnt >/dev/null && umount /mnt ;;
        btrfs) mount -t btrfs "$part" /mnt && btrfs filesystem resize max /mnt >/dev/null && umount /mnt ;;
    esac
}

choose
copy
grow || echo "the root file system keeps its size: it could not be made larger."
sync
echo "done: $disk holds $commit, $(($(blockdev --getsize64 "$disk") / mib)) MiB"
