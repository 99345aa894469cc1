#!/bin/sh
# Stands in for debootstrap's pkgdetails, which reads the whole package index (56 MB) at each of some twenty calls: 2.5 s
# apiece when emulated. This keeps the stanzas of the packages that debootstrap is known to ask about in a small file, and
# asks that. A question about any other name goes to the whole index, so an old list makes it slow again, never wrong.
real=/usr/lib/debootstrap/pkgdetails.real
known={{basePackages}}
small=/tmp/kvmimg-packages

all_known() {
  for name; do
    case " $known " in
      *" $name "*) ;;
      *) return 1 ;;
    esac
  done
}

# usage: index_for INDEX NAME...: the file to ask about the names
index_for() {
  index=$1
  shift
  if ! all_known "$@"; then
    echo "$index"
    return
  fi
  if [ ! -e "$small" ]; then
    # The names are meant to be split.
    $real STANZAS "$index" $known >"$small.new"
    echo "$index" >"$small.of"
    mv "$small.new" "$small"
  fi
  if [ -s "$small" ] && [ "$(cat "$small.of")" = "$index" ]; then echo "$small"; else echo "$index"; fi
}

case $1 in
  GETDEPS | STANZAS)
    mode=$1 index=$2
    shift 2
    exec $real "$mode" "$(index_for "$index" "$@")" "$@"
    ;;
  PKGS)
    mirror=$2 index=$3
    shift 3
    exec $real PKGS "$mirror" "$(index_for "$index" "$@")" "$@"
    ;;
  # FIELD looks for packages by a property: only the whole index knows them all.
  *) exec $real "$@" ;;
esac
