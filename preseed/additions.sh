
# --- what the recipe asks for beyond this
# usage: write_file PATH MODE CONTENT
write_file() {
  mkdir -p "$target${1%/*}"
  printf '%s\n' "$3" >"$target$1"
  chmod "$2" "$target$1"
}
enable_unit() { chroot $target systemctl --no-reload enable "$1"; }
