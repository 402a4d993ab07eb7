#!/bin/sh
# Installs Sampan from this directory: ./install.sh [--prefix DIR] [--uninstall]. Needs nothing but a POSIX shell and coreutils.
# DESTDIR is put before every path, for who makes packages of it.
set -eu
# What it makes is for everybody, whoever installs it.
umask 022

usage() {
  echo "Usage: install.sh [--prefix DIR] [--uninstall]"
  echo "Copies sampan, sampan-oci, their man pages and shell completion beneath DIR (default /usr/local)."
}

prefix=/usr/local
remove=no
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) [ $# -ge 2 ] || { usage >&2; exit 2; }; prefix=$2; shift 2 ;;
    --prefix=*) prefix=${1#--prefix=}; shift ;;
    --uninstall) remove=yes; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "install.sh: unknown argument: $1" >&2; usage >&2; exit 2 ;;
  esac
done
case $prefix in
  /*) ;;
  *) echo "install.sh: the prefix must be an absolute path: $prefix" >&2; exit 2 ;;
esac

[ "$prefix" = / ] || prefix=${prefix%/}
source=$(CDPATH='' cd -- "$(dirname "$0")" && pwd)
target=${DESTDIR:-}${prefix%/}
machine=$(cat "$source/machine")
if [ "$remove" = no ] && [ "$(uname -m)" != "$machine" ] && [ -z "${DESTDIR:-}" ]; then
  echo "install.sh: this is for $machine, and this machine is $(uname -m)" >&2
  exit 1
fi

# Every file of the distribution, relative to the prefix. A file is replaced as a whole: one that runs goes on with the old one.
(cd "$source/files" && find . ! -type d) | sed 's|^\./||' | sort | while read -r file; do
  if [ "$remove" = yes ]; then
    rm -f "$target/$file"
    continue
  fi
  mkdir -p "$target/$(dirname "$file")"
  case $file in
    bin/sampan-oci) ln -sfn sampan "$target/$file" ;;
    *)
      cp "$source/files/$file" "$target/$file.new"
      case $file in bin/*) chmod 755 "$target/$file.new" ;; *) chmod 644 "$target/$file.new" ;; esac
      mv -f "$target/$file.new" "$target/$file"
      ;;
  esac
done

if [ "$remove" = yes ]; then
  # The one directory that is nobody else's.
  rmdir "$target/share/doc/sampan" 2>/dev/null || :
  echo "Removed Sampan from $prefix. Images, volumes and containers are where they were (/var/lib/sampan)."
else
  echo "Installed Sampan beneath $prefix. Try: sudo ${prefix%/}/bin/sampan run --rm host id"
  command -v nft >/dev/null 2>&1 || echo "Published ports and isolated networks need nft: install the package nftables."
fi
