#!/bin/sh
# Boots this machine's own Debian tree as a container with systemd as PID 1: an overlay of / whose changes are in memory. Run in
# a mount namespace of its own, so that nothing is left when it ends.
#
#   boot.sh DIR PROJECT PROGRAM     DIR: an empty folder. PROGRAM: what becomes /usr/bin/pool-managerd.
set -eu
dir=$1
project=$2
program=$3

mount -t tmpfs -o mode=755,size=2g tmpfs "$dir"
root=$dir/root
mkdir "$dir/upper" "$dir/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" "$root"

# Nothing of this machine's own services.
: > "$root/etc/machine-id"
rm -rf "$root"/etc/systemd/system/*
for unit in systemd-logind systemd-firstboot systemd-timesyncd console-getty getty@ e2scrub_reap; do
  ln -s /dev/null "$root/etc/systemd/system/$unit.service"
done

"$project/packaging/install" "$root"
app=$root/usr/lib/pool-managerd/app
mkdir -p "$app/node_modules"
# For programs of the tests that run inside.
cp -R "$project/src" "$project/test" "$project/package.json" "$app"
chown -R root:root "$app"
install -m 755 "$program" "$root/usr/bin/pool-managerd"
systemd-sysusers --root="$root" pool-managerd.conf

exec systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --capability=CAP_SYS_RESOURCE \
  --console=pipe --machine="pool-managerd-$$" \
  --directory="$root" --bind-ro="$project/node_modules:/usr/lib/pool-managerd/app/node_modules"
