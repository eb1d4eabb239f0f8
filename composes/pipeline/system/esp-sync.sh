#!/bin/sh
# The boot menu that libostree keeps in /boot, brought to the EFI system partition: systemd-boot reads nothing else.
#
#   esp-sync SYSROOT ESP LOADER    the physical root, the mounted partition, systemd-boot's program
#
# At each moment something on the partition boots: first goes what cannot boot any more, then kernels come, then the
# entries, each whole; at last entries that libostree has not.
set -eu
sysroot=$1 esp=$2 loader=$3
menu=$sysroot/boot/loader/entries

put() { # FILE TARGET: whole or not at all, and only if it is not there
    cmp -s "$1" "$2" && return
    mkdir -p "${2%/*}"
    cp "$1" "$2.new"
    sync "$2.new"
    mv -f "$2.new" "$2"
}

same_size() {
    [ -e "$2" ] && [ "$(wc -c <"$1")" = "$(wc -c <"$2")" ]
}

names() { # KEY ENTRY: what the lines of that key name
    sed -n "s/^$1[[:space:]][[:space:]]*//p" "$2"
}

[ -n "$(ls "$menu"/*.conf 2>/dev/null)" ] || { echo "There is no boot entry in $menu." >&2; exit 1; }
mkdir -p "$esp/loader/entries" "$esp/ostree"
rm -f "$esp"/loader/entries/*.new "$esp"/ostree/*/*.new

for entry in "$esp"/loader/entries/ostree-*.conf; do
    [ -e "$entry" ] || continue
    kernel=$(names linux "$entry")
    [ -e "$sysroot/boot$kernel" ] || rm "$entry"
done
for folder in "$esp"/ostree/*/; do
    [ ! -d "$folder" ] || [ -d "$sysroot/boot/ostree/$(basename "$folder")" ] || rm -r "$folder"
done

for entry in "$menu"/*.conf; do
    for file in $(names linux "$entry") $(names initrd "$entry"); do
        # Their folder is named by what is in them, and they came whole: nobody need read them again.
        same_size "$sysroot$file" "$esp${file#/boot}" || put "$sysroot$file" "$esp${file#/boot}"
    done
done
for entry in "$menu"/*.conf; do
    sed -e 's#^\(linux\|initrd\) /boot/#\1 /#' -e '/^aboot/d' "$entry" >"$esp/loader/entry.tmp"
    put "$esp/loader/entry.tmp" "$esp/loader/entries/${entry##*/}"
done
rm -f "$esp/loader/entry.tmp"
for entry in "$esp"/loader/entries/ostree-*.conf; do
    [ -e "$menu/${entry##*/}" ] || rm "$entry"
done

if [ -e "$loader" ]; then
    put "$loader" "$esp/EFI/systemd/systemd-bootx64.efi"
    put "$loader" "$esp/EFI/BOOT/BOOTX64.EFI"
fi
[ -e "$esp/loader/loader.conf" ] || printf 'timeout 2\n' >"$esp/loader/loader.conf"
sync -f "$esp"
