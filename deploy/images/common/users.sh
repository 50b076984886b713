#!/bin/sh
# Users with fixed ids, made before packages would choose ids themselves: Pods name the number in
# runAsUser, and files on volumes outlive images. slurm (64030) has its fixed id from Debian.
# usage: users.sh [ROOT]; run once, on a system that has none of them.
set -eu
root=${1:-}

add() { # name, id, description
    printf '%s:x:%s:%s:%s:/nonexistent:/usr/sbin/nologin\n' "$1" "$2" "$2" "$3" >> "$root/etc/passwd"
    printf '%s:x:%s:\n' "$1" "$2" >> "$root/etc/group"
    printf '%s:!:20254::::::\n' "$1" >> "$root/etc/shadow"
    printf '%s:!::\n' "$1" >> "$root/etc/gshadow"
}

add slurmrest 64031 "Slurm REST API"
add mysql 64032 "MariaDB Server"
add sunk 64033 "sunk bridge"
