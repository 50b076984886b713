"""What the real Slurm of the tests is set up with: places, configuration, shell scripts."""

from __future__ import annotations

HOST = "slurmhost"
ADDRESS = "10.99.0.1"
CLUSTER = "lab"
SOCKET = "/run/slurmrestd/rest.sock"
READY = "/run/namespace-is-ready"
DATABASE = "/var/lib/database"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# Values come as arguments ($1 rootfs, $2 mount point), so nothing is ever quoted by hand.
INIT = """
set -eu
lower=$1 top=$2
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
root=$top/root
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$top/upper,workdir=$top/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
for stream in 0:stdin 1:stdout 2:stderr; do
  ln -s "/proc/self/fd/${stream%%:*}" "$root/dev/${stream#*:}"
done
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
hostname slurmhost
ip link set lo up
ip link add br0 type bridge
ip address add 10.99.0.1/16 dev br0
ip link set br0 up
touch "$root/run/namespace-is-ready"
exec chroot "$root" /usr/bin/tini -- sleep infinity
"""

# $1 root, $2 host name, then the command.
ALONE = """
set -eu
mount -t proc proc "$1/proc"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
hostname "$2"
root=$1
shift 2
exec chroot "$root" "$@"
"""

MAX_NODES = 100
SLURM_CONF = f"""\
ClusterName={CLUSTER}
SlurmctldHost={HOST}({ADDRESS})
SlurmUser=slurm
AuthType=auth/slurm
CredType=auth/slurm
AuthInfo=use_client_ids,cred_expire=5
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=/etc/slurm/jwt_hs256.key
StateSaveLocation=/var/lib/slurm/ctld
SlurmctldPidFile=/run/slurmctld/slurmctld.pid
SlurmdPidFile=/run/slurm/slurmd-%n.pid
SlurmdSpoolDir=/var/spool/slurmd/%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
MaxNodeCount={MAX_NODES}
TreeWidth=65533
ReconfigFlags=KeepPartInfo
ReturnToService=2
SlurmdTimeout=60
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStorageEnforce=associations,limits,qos
NodeSet=workers Feature=worker
PartitionName=main Nodes=workers Default=YES State=UP
PartitionName=all Nodes=ALL State=UP
"""

SLURMDBD_CONF = """\
AuthType=auth/slurm
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=/etc/slurm/jwt_hs256.key
DbdHost=localhost
DbdAddr=127.0.0.1
SlurmUser=slurm
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=only-in-this-namespace
StorageLoc=slurm_acct_db
PidFile=/run/slurmdbd/slurmdbd.pid
"""

DATABASE_SQL = """\
create database slurm_acct_db;
create user slurm@localhost identified by 'only-in-this-namespace';
grant all on slurm_acct_db.* to slurm@localhost;
"""
