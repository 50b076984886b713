#!/bin/sh
# Make an installed system an image: nothing that must differ between machines, nothing that
# differs between builds, nothing that is not needed. Run inside the system, as root.
set -eu

# Secrets and identities: each host makes its own.
rm -f /etc/ssh/ssh_host_* /etc/munge/munge.key
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id /etc/hostname /etc/resolv.conf

# The database is made where its volume is.
if [ -d /var/lib/mysql ]; then
    find /var/lib/mysql -mindepth 1 -delete
fi

# State of the package tools. Not the list of what is installed.
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/* /var/cache/debconf/*-old
rm -f /etc/apt/sources.list /etc/apt/apt.conf.d/99mmdebstrap
rm -f /etc/dpkg/dpkg.cfg.d/99mmdebstrap /etc/dpkg/dpkg.cfg.d/sunk-*
rm -f /var/lib/dpkg/*-old /var/lib/dpkg/lock* /var/lib/dpkg/triggers/Lock

# Logs, copies that the user tools keep.
find /var/log -type f -delete
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
find /tmp /var/tmp -mindepth 1 -delete
find /run -mindepth 1 ! -type d -delete 2> /dev/null || : # a container engine mounts files there

# Byte code: what Debian compiled holds times of this build. Compiled again without them (PEP 552),
# since no user of a running container can write it, and every Python program would start slowly. -B:
# what the compiler itself imports must not be written with a time, and then be left as it is.
find /usr /etc /var -name __pycache__ -type d -prune -exec rm -rf {} +
if command -v python3 > /dev/null; then
    PYTHONHASHSEED=0 python3 -B -m compileall -q --invalidation-mode unchecked-hash \
        /usr/lib/python3 /usr/lib/python3.*
fi

# Cluster users come from a volume; names from files before the network.
if dpkg-query -W libnss-extrausers > /dev/null 2>&1; then
    sed -i -E 's/^(passwd|group|shadow):.*/\1: files extrausers/' /etc/nsswitch.conf
fi
sed -i -E 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf

# sbatch --export=NONE, --export=NAME=VALUE and --get-user-env make slurmd run a login shell in new
# namespaces, for which it needs CAP_SYS_ADMIN; without, slurmd dies of it, and its node with it. It
# forks instead where the kernel allows no namespaces, which it reads from two files; our Pods have
# no CAP_SYS_ADMIN, so it is to read that from ours. The new name is as long as the old one.
slurm=$(find /usr/lib -name libslurmfull.so)
if [ -n "$slurm" ]; then
    mkdir -p /usr/lib/sunk
    for kind in pid mnt; do
        echo 0 > "/usr/lib/sunk/max_${kind}_namespaces"
        grep -q "/proc/sys/user/max_${kind}_namespaces" "$slurm"
        sed -i "s,/proc/sys/user/max_${kind}_namespaces,/usr/lib/sunk//max_${kind}_namespaces," "$slurm"
    done
fi

mkdir -p /usr/share/sunk
dpkg-query -W -f '${binary:Package} ${Version}\n' | LC_ALL=C sort > /usr/share/sunk/packages.txt
