"""Any tree in the place of sysfs: the program ends, and a shell sees its exports, nothing else."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sunk.toolkit.lint.syntax import parse
from sunk_jobs import fabric_env, sysfs_rdma
from tests.support.node_trees import Adapter, lay_out

NAMES = st.sampled_from(
    [
        *("mlx5_0", "mlx5_1", "efa_0", "²", "٣", "1", "0", "a b", "$(id)", "'; id; '", "\n", "é"),
        *("state", "rate", "ports", "gids", "gid_attrs", "types", "ndevs", "device", "driver"),
        *("link_layer", "net", "physfn", "virtfn0", "virtfn²", "numa_node", "vendor", "class"),
        *("sriov_totalvfs", "counters", "x" * 200, "\udcff"),
    ]
)
TEXTS = st.one_of(
    st.sampled_from(
        [
            *("4: ACTIVE", "1: DOWN", "400 Gb/sec (4X NDR)", "999999 Gb/sec", "-1", "²", ""),
            *("InfiniBand", "Ethernet", "RoCE v2", "eth0", "$(id)", "'", "\n\n", "0x1d0f"),
            *("0x10de", "0x030200", "9" * 5000, "fe80:0000:0000:0000:0000:0000:0000:0001"),
        ]
    ),
    st.text(max_size=20),
)
TREES = st.recursive(
    st.one_of(
        TEXTS,
        st.just(("link", ".")),
        st.just(("link", "../..")),
        st.just(("link", "loop")),
        st.just(("closed", "")),
    ),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def make(path: Path, tree: object) -> None:
    if isinstance(tree, dict):
        path.mkdir(parents=True, exist_ok=True)
        for name, inner in tree.items():
            make(path / name, inner)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(tree, tuple) and tree[0] == "link":
        path.symlink_to(path.name if tree[1] == "loop" else tree[1])
    elif isinstance(tree, tuple):
        path.mkdir(mode=0)
    else:
        path.write_bytes(str(tree).encode(errors="surrogateescape"))


def exports_of(text: str) -> list[str]:
    """Return the names that a shell would export; anything else in the text is a failure."""
    tree = parse(text.encode())
    assert not tree.has_error, text
    commands = [one for one in tree.children if one.type != "comment"]
    assert [one.type for one in commands] == ["declaration_command"] * len(commands), text
    lines = [one.text.decode() for one in commands]
    assert all(line.startswith("export ") for line in lines)
    return [line.split("=")[0].removeprefix("export ") for line in lines]


def told(root: Path, *words: str) -> tuple[int, str, dict]:
    kept = root / "evidence.json"
    given = ("--sysfs", root / "sys", "--proc", root / "proc", "--dev", root / "dev")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = fabric_env.main([*map(str, given), "--evidence", str(kept), *words])
    return status, out.getvalue(), json.loads(kept.read_text())


@settings(max_examples=150, deadline=None)
@given(
    devices=st.dictionaries(NAMES, TREES, max_size=3),
    nets=st.dictionaries(NAMES, TREES, max_size=3),
    cxi=TREES,
    buses=TREES,
    route=TEXTS,
    sharp=st.booleans(),
)
def test_any_tree_gives_as_many_exports_as_the_evidence_says(
    devices, nets, cxi, buses, route, sharp
):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root / "sys/class/infiniband", devices)
        make(root / "sys/class/net", nets)
        make(root / "sys/class/cxi", cxi)
        make(root / "sys/bus/pci/devices", buses)
        make(root / "proc/net/route", route)
        status, out, kept = told(root, *(["--sharp"] if sharp else []))
        assert status == (3 if kept["refusals"] else 0)
        wanted = [] if kept["refusals"] else [one["name"] for one in kept["settings"]]
        assert exports_of(out) == wanted


@given(
    name=st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1
    ).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200)
)
@settings(max_examples=80, deadline=None)
def test_name_of_a_device_never_leaves_its_place(name):
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), (Adapter("mlx5_0"), *([Adapter(name)] if name != "mlx5_0" else [])))
        make(Path(folder) / "proc/net/route", f"Iface\n{name} 00000000 x\n")
        _, out, kept = told(Path(folder))
        assert exports_of(out) == [one["name"] for one in kept["settings"]]


def test_loop_of_links_ends(tmp_path):
    make(tmp_path / "class/infiniband/mlx5_0/device", ("link", "loop"))
    assert [one.name for one in sysfs_rdma.read(tmp_path).devices] == ["mlx5_0"]


def test_digits_of_other_scripts_are_no_numbers(tmp_path):
    make(tmp_path / "class/infiniband/mlx5_²/ports", {"1": {"state": "4: ACTIVE"}, "²": {}})
    (device,) = sysfs_rdma.read(tmp_path).devices
    assert [one.number for one in device.ports] == [1]
