#!/bin/sh
# In the initramfs: the menu on the EFI system partition may be one change older than the root file system, when power
# was lost between the two. Its paths then begin with the one of libostree's two folders that is gone.
#
#   menu-link [SYSROOT [COMMAND LINE]]    files; the machine's own, unless others are named
sysroot=${1:-/sysroot}
read -r arguments <"${2:-/proc/cmdline}"
for word in $arguments; do
    case $word in ostree=/ostree/boot.[01]/*) path=${word#ostree=} ;; esac
done
[ -n "${path:-}" ] || exit 0
case $path in
/ostree/boot.0/*) gone=boot.0 other=boot.1 ;;
*) gone=boot.1 other=boot.0 ;;
esac
[ -e "$sysroot/ostree/$gone" ] || [ ! -e "$sysroot/ostree/$other" ] || ln -sfn "$other" "$sysroot/ostree/$gone"
