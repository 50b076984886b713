"""Images from real Debian packages, kept in a cache that may be filled already.

Needs root, Go, and the Debian packages of deploy/local/packages.txt.
"""

import dataclasses
import hashlib
import os
import signal
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from sunk import __version__, settings
from sunk.clients import process
from sunk.errors import EnvironmentFault
from sunk.local import pids
from sunk.local.software import gobuild, images
from sunk.local.software.cache import OWNER_FILE, Cache
from sunk.local.software.confine import confined
from sunk.local.software.debian import find_mirrors
from sunk.local.software.image_store import RUN_FOLDER, clone_store, containerd_config
from sunk.local.software.images import Workshop
from sunk.local.software.layer import write_layer
from sunk.local.software.rootfs import EPOCH_SECONDS, build_rootfs, read_recipe
from sunk.local.software.wheels import obtain_dependencies, obtain_toolkit
from sunk.resources import data_folder

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
DEPLOY = data_folder("deploy")
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
"""cap_net_raw=ep, as xattr: version 2 with the effective bit, one permitted capability."""


def nothing() -> None:
    pass


@pytest.fixture(scope="session")
def shop():
    cache = Cache(settings.read_local(os.environ).cache_folder)
    return Workshop(cache=cache, deploy=DEPLOY, project=DEPLOY.parent, say=print, hook=nothing)


@pytest.fixture(scope="session")
def archive(shop):
    def find():
        return find_mirrors(None, None, shop.cache.logs / "test.log", say=print, hook=nothing)

    return images.debian_archive(shop, find)


@pytest.fixture(scope="session")
def slurm(shop, archive):
    """Root file system and layer of the slurm image."""
    layer, rootfs = images.base_layer(shop, "slurm", archive)
    return rootfs.content / "root", layer


@pytest.fixture(scope="session")
def small_images(shop):
    """Two images of one static program each, one with a file capability."""
    go = gobuild.find_go()
    built = gobuild.build_program(shop.cache, go, gobuild.PAUSE, DEPLOY)
    layer, _ = images.program_layer(shop, built.content / "pause", built.key)
    image, _ = images.make_image(shop, "pause", [layer])
    return image


IN_IMAGE = """
set -eu
root=$1 lower=$2; shift 2
mount -t tmpfs tmpfs "$root"
mkdir "$root/up" "$root/work" "$root/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$root/up,workdir=$root/work" "$root/root"
mount -t proc proc "$root/root/proc"
mount --rbind /dev "$root/root/dev"
exec chroot "$root/root" "$@"
"""


def run_inside(tmp_path: Path, lower: Path | str, *argv: str) -> str:
    """Run a program in an image; what it writes is gone afterwards, the cache stays as it is."""
    return process.run(
        confined(["sh", "-c", IN_IMAGE, "sh", tmp_path, lower, *argv]), timeout_seconds=120
    ).stdout


def test_two_builds_from_the_same_packages_give_one_digest(shop, archive, slurm, tmp_path):
    recipe = read_recipe(DEPLOY / "images", "slurm")
    root = tmp_path / "root"
    build_rootfs(recipe, archive.content, root, tmp_path / "log", say=print, hook=nothing)
    layer = write_layer(root, tmp_path, epoch_seconds=EPOCH_SECONDS)
    assert layer.digest == slurm[1].digest


def test_two_builds_of_our_own_code_give_one_digest(shop, slurm, tmp_path):
    other = dataclasses.replace(shop, cache=Cache(tmp_path))
    first, _ = images.toolkit_layer(shop, slurm[0])
    assert images.toolkit_layer(other, slurm[0])[0].digest == first.digest


def test_two_builds_of_what_we_depend_on_give_one_digest(shop, slurm, tmp_path):
    other = dataclasses.replace(shop, cache=Cache(tmp_path))
    first, _ = images.dependencies_layer(shop, "login", slurm[0])
    assert images.dependencies_layer(other, "login", slurm[0])[0].digest == first.digest


def test_an_image_holds_no_identity_no_database_and_no_left_overs(slurm):
    root = slurm[0]
    assert list(root.glob("etc/ssh/ssh_host_*")) == []
    assert (root / "etc/machine-id").read_bytes() == b""
    assert list((root / "var/lib/mysql").iterdir()) == []
    assert list((root / "dev").iterdir()) == []
    files = [path for path in (root / "var/log").rglob("*") if not path.is_dir()]
    assert files == []
    for gone in ("etc/hostname", "etc/resolv.conf", "etc/munge/munge.key", "etc/apt/sources.list"):
        assert not (root / gone).exists(), gone
    assert list((root / "var/lib/apt/lists").iterdir()) == []


def test_the_list_of_packages_inside_is_dpkgs_own(slurm, tmp_path):
    listed = (slurm[0] / "usr/share/sunk/packages.txt").read_text()
    asked = run_inside(
        tmp_path, slurm[0], "dpkg-query", "-W", "-f", "${binary:Package} ${Version}\n"
    )
    assert sorted(listed.splitlines()) == sorted(asked.splitlines())
    assert set(read_recipe(DEPLOY / "images", "slurm").packages) <= {
        line.split()[0].partition(":")[0] for line in listed.splitlines()
    }


def test_users_that_pods_run_as_have_their_fixed_ids(slurm):
    users = (slurm[0] / "etc/passwd").read_text().splitlines()
    ids = {line.split(":")[0]: tuple(line.split(":")[2:4]) for line in users}
    assert {name: ids[name] for name in ("slurm", "slurmrest", "mysql", "sunk")} == {
        "slurm": ("64030", "64030"),
        "slurmrest": ("64031", "64031"),
        "mysql": ("64032", "64032"),
        "sunk": ("64033", "64033"),
    }
    assert (slurm[0] / "var/lib/mysql").stat().st_uid == 64032


def test_names_come_from_files_and_extrausers(slurm):
    text = (slurm[0] / "etc/nsswitch.conf").read_text()
    lines = {
        line.split(":")[0]: line.split(":")[1].split() for line in text.splitlines() if ":" in line
    }
    assert {name: lines[name] for name in ("passwd", "group", "shadow", "hosts")} == {
        "passwd": ["files", "extrausers"],
        "group": ["files", "extrausers"],
        "shadow": ["files", "extrausers"],
        "hosts": ["files", "dns"],
    }


def test_every_program_of_the_image_finds_its_libraries(slurm, tmp_path):
    """Also after what the exclusions took away."""
    found = run_inside(
        tmp_path,
        slurm[0],
        "sh",
        "-c",
        "for f in /usr/sbin/* /usr/bin/* /usr/lib/*/slurm-wlm/*.so /usr/lib/*/openmpi/lib/*/*.so "
        "/usr/lib/*/ucx/*.so; do ldd $f 2>/dev/null | grep -q 'not found' && echo $f; done; :",
    )
    assert found.splitlines() == []


def test_mpi_runs_in_the_image(slurm, tmp_path):
    program = (
        "from mpi4py import MPI; world = MPI.COMM_WORLD; ranks = world.gather(world.rank)\n"
        "if world.rank == 0: print(ranks)"
    )
    words = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "3", "python3", "-c"]
    said = run_inside(tmp_path, slurm[0], "env", "HOME=/tmp", *words, program)
    assert said.strip() == "[0, 1, 2]"


def test_slurmd_is_told_that_there_are_no_namespaces(slurm):
    """See finish.sh: what slurmd reads before it clones a login shell."""
    (library,) = slurm[0].glob("usr/lib/*/slurm-wlm/libslurmfull.so")
    content = library.read_bytes()
    for kind in ("pid", "mnt"):
        assert (slurm[0] / f"usr/lib/sunk/max_{kind}_namespaces").read_text() == "0\n"
        assert f"/usr/lib/sunk//max_{kind}_namespaces".encode() in content
        assert f"/proc/sys/user/max_{kind}_namespaces".encode() not in content


def venv_run(shop, slurm, tmp_path, *argv):
    architecture = images.machine_architecture()
    dependencies = obtain_dependencies(shop.cache, shop.project, (), architecture, slurm[0])
    toolkit = obtain_toolkit(shop.cache, shop.project, architecture, slurm[0])
    layers = (toolkit.content / "tree", dependencies.content / "tree", slurm[0])
    return run_inside(tmp_path, ":".join(str(layer) for layer in layers), *argv)


def test_the_toolkit_and_its_data_are_in_the_login_image(shop, slurm, tmp_path):
    program = (
        "import sunk, sys; from sunk.resources import data_folder; "
        "print(sys.prefix, data_folder('deploy'))"
    )
    said = venv_run(shop, slurm, tmp_path, "/opt/sunk/bin/python3", "-c", program)
    packages = "/opt/sunk/lib/python3.13/site-packages"
    assert said.split() == ["/opt/sunk", f"{packages}/sunk/_data/deploy"]


def test_sunk_runs_in_the_login_image(shop, slurm, tmp_path):
    said = venv_run(shop, slurm, tmp_path, "/usr/local/bin/sunk", "version")
    assert __version__ in said


COMPILED_ANYWAY = """
import sys
from importlib import machinery
seen = []
original = machinery.SourceFileLoader.source_to_code
def source_to_code(self, data, path, *rest, **more):
    seen.append(path)
    return original(self, data, path, *rest, **more)
machinery.SourceFileLoader.source_to_code = source_to_code
from sunk.cli.app import main
sys.argv = ["sunk", "job", "template", "list"]
try:
    main()
except SystemExit:
    pass
print("compiled:", seen)
"""


def test_sunk_compiles_nothing_at_its_start_in_the_login_image(shop, slurm, tmp_path):
    said = venv_run(shop, slurm, tmp_path, "/opt/sunk/bin/python3", "-c", COMPILED_ANYWAY)
    assert said.splitlines()[-1] == "compiled: []"


def test_bash_completes_sunk_in_the_login_image(shop, slurm, tmp_path):
    completion = (DEPLOY / "images/login/sunk.bash-completion").read_text()
    program = (
        f"{completion}\nCOMP_WORDS=(sunk job tem); COMP_CWORD=2; _sunk sunk; echo ${{COMPREPLY[*]}}"
    )
    assert venv_run(shop, slurm, tmp_path, "bash", "-c", program).split() == ["template"]


def test_byte_code_in_the_image_names_no_time(slurm):
    """PEP 552: a hash-based file that is not checked has flags 1."""
    flags = {path: path.read_bytes()[4:8] for path in slurm[0].rglob("*.pyc")}
    assert len(flags) > 300
    assert [path for path, seen in flags.items() if seen != b"\x01\0\0\0"] == []


INTERRUPTED = """
import sys
from pathlib import Path
from sunk.local.software.cache import Cache, Entry
from sunk.local.software.rootfs import obtain_rootfs, read_recipe
cache, archive, deploy = (Path(word) for word in sys.argv[1:])
entry = Entry(kind="debian-archive", key="k", content=archive)
obtain_rootfs(Cache(cache), read_recipe(deploy / "images", "bridge"), entry, say=print)
print("finished")
"""


def processes_with(text: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text in words and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.05)


def test_a_killed_build_leaves_no_process_and_no_mount_and_the_next_one_succeeds(archive, tmp_path):
    argv = [sys.executable, "-c", INTERRUPTED, tmp_path, archive.content, DEPLOY]
    pid = process.start(argv, log=tmp_path / "first.log")
    # Half-way: packages are being unpacked, mmdebstrap has its mounts.
    wait_until(lambda: list((tmp_path / "building").glob("*/content/root/usr/bin/dpkg")))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    # At once, not when mmdebstrap would have been done anyway.
    wait_until(lambda: processes_with(str(tmp_path / "building")) == [], seconds=5)
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert len(list((tmp_path / "building").iterdir())) == 1

    said = []
    Cache(tmp_path).sweep(said.append)
    assert len(said) == 1
    assert said[0].startswith("removing an interrupted build: rootfs-bridge-")
    done = process.run(argv, timeout_seconds=600)
    assert done.stdout.splitlines()[-1] == "finished"
    assert list((tmp_path / "building").iterdir()) == []


def test_left_over_mounts_are_undone_before_anything_is_removed(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep me")
    work = tmp_path / "cache/building/rootfs-x.1"
    for name in ("content/root/bound", "content/root/proc"):
        (work / name).mkdir(parents=True)
    pids.write(work / OWNER_FILE, os.getpid())
    noted = msgspec.json.decode((work / OWNER_FILE).read_bytes(), type=pids.Identity)
    dead = replace(noted, start_ticks=noted.start_ticks - 1)
    (work / OWNER_FILE).write_bytes(msgspec.json.encode(dead))
    process.run(["mount", "--bind", precious, work / "content/root/bound"], timeout_seconds=30)
    process.run(["mount", "-t", "proc", "proc", work / "content/root/proc"], timeout_seconds=30)
    Cache(tmp_path / "cache").sweep()
    assert not work.exists()
    assert str(work) not in Path("/proc/self/mountinfo").read_text()
    assert (precious / "file").read_text() == "keep me"


def test_file_capabilities_survive_packing_and_unpacking(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "ping").write_text("")
    os.setxattr(root / "ping", "security.capability", CAPABILITY)
    layer = write_layer(root, tmp_path, epoch_seconds=EPOCH_SECONDS)
    (tmp_path / "out").mkdir()
    process.run(
        ["tar", "-x", "--xattrs", "--xattrs-include=*", "-f", layer.blob, "-C", tmp_path / "out"],
        timeout_seconds=30,
    )
    assert os.getxattr(tmp_path / "out/ping", "security.capability") == CAPABILITY


USE_CLONE = """
set -eu
mount -t tmpfs tmpfs /run
run=$1
mkdir -p "$run" /run/image
containerd --config "$2" & daemon=$!
ctr_() { ctr --address "$run/containerd.sock" --namespace k8s.io "$@"; }
n=0; until ctr_ version > /dev/null 2>&1; do n=$((n+1)); [ $n -lt 300 ]; sleep 0.1; done
ctr_ images mount --rw sunk.dev/slurm:local /run/image > /dev/null
echo changed >> /run/image/etc/passwd
rm /run/image/usr/bin/srun
chmod 700 /run/image/usr/bin
grep -c changed /run/image/etc/passwd
umount /run/image
ctr_ images list -q | grep slurm: | xargs ctr --address "$run/containerd.sock" \\
    --namespace k8s.io images remove --sync > /dev/null
ctr_ images list -q
kill $daemon; wait $daemon || :
"""


def fingerprint(folder: Path) -> str:
    """Hash of names, modes, owners, times and contents of everything below."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        facts = (status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime_ns)
        total.update(repr((str(path.relative_to(folder)), facts)).encode())
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as source:
                total.update(hashlib.file_digest(source, "sha256").digest())
    return total.hexdigest()


def test_two_nodes_on_clones_of_one_store_change_neither_it_nor_each_other(
    shop, slurm, small_images, tmp_path
):
    image, _ = images.make_image(shop, "slurm", [slurm[1]])
    template, _ = images.obtain_store(shop.cache, [image, small_images], DEPLOY)
    before = fingerprint(template.root)
    outputs = []
    clones = [shop.cache.folder / f"test-clone-{os.getpid()}-{number}" for number in (1, 2)]
    try:
        for clone in clones:
            clone_store(template, clone)
        config = tmp_path / "containerd.toml"
        for clone in clones:
            config.write_text(containerd_config(clone))
            argv = confined(["sh", "-c", USE_CLONE, "sh", RUN_FOLDER, config])
            done = process.run(argv, timeout_seconds=120)
            outputs.append(done.stdout.splitlines())
        # The second sees the image that the first removed, and no change of the first's.
        expected = ["1", small_images.content_name, small_images.name]
        assert [sorted(lines) for lines in outputs] == [sorted(expected)] * 2
        assert fingerprint(template.root) == before
    finally:
        for clone in clones:
            process.run(["rm", "-rf", "--", clone], timeout_seconds=60)


def test_a_go_module_that_cannot_be_had_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    with pytest.raises(EnvironmentFault, match=r"download Go module \S+@v\S+ for helm"):
        gobuild.build_program(Cache(tmp_path / "cache"), gobuild.find_go(), gobuild.HELM, DEPLOY)


def test_the_simulated_device_plugins_do_what_kubelets_expect(tmp_path):
    for name in ("go.mod", "go.sum"):
        (tmp_path / name).write_bytes((DEPLOY / "local/kube" / name).read_bytes())
    (tmp_path / "simulated").mkdir()
    for file in (DEPLOY / "local/kube/simulated").glob("*.go"):
        (tmp_path / "simulated" / file.name).write_bytes(file.read_bytes())
    process.run(
        ["go", "test", "-mod=readonly", "-trimpath", "./simulated/"],
        cwd=tmp_path,
        timeout_seconds=600,
        env={"CGO_ENABLED": "0", "GOFLAGS": ""},
    )


def test_an_exported_archive_is_a_tar_of_an_image_layout(small_images, tmp_path):
    (written,) = images.export_images([small_images], tmp_path)
    with tarfile.open(written) as archive:
        assert {"oci-layout", "index.json"} < set(archive.getnames())
