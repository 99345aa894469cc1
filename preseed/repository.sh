
# A repository of the recipe: while building, through kvmimg; the seal writes its own address.
mkdir -p $target/etc/apt/keyrings
printf '%s\n' {{key}} >$target{{keyPath}}
printf '%s\n' {{source}} >$target{{sourcePath}}
