"""The stand-in for Multus: what it asks of CNI plugins and the API, and what it tells."""

from __future__ import annotations

import io
import json
import sys
from typing import ClassVar

import pytest

from sunk.errors import InputError
from sunk.local import attach_networks, rails
from sunk.local.attach_networks import Asked, asked_for, devices_of, main
from sunk.local.layout import Node

UID = "11"
DEFINITIONS = {
    "default/rail-0": {"type": "net", "bridge": "rail-0"},
    "default/chain": {
        "cniVersion": "0.4.0",
        "name": "c",
        "plugins": [{"type": "net"}, {"type": "tune"}],
    },
    "default/broken": {"type": "fails"},
    "default/absent": {"type": "nosuch"},
}
CHECKPOINT = {
    "Data": {
        "PodDeviceEntries": [
            {
                "PodUID": UID,
                "ResourceName": "sunk.dev/rail-0",
                "DeviceIDs": {"0": ["0000:3b:00.2"]},
            },
            {
                "PodUID": "12",
                "ResourceName": "sunk.dev/rail-0",
                "DeviceIDs": {"0": ["0000:3b:00.1"]},
            },
        ]
    }
}
PROGRAM = """\
#!{python}
import json, os, sys
config = json.load(sys.stdin)
words = [os.environ["CNI_COMMAND"], os.environ["CNI_IFNAME"], config["type"]]
words.append(config.get("deviceID", ""))
with open({log!r}, "a") as log:
    log.write(" ".join(words).strip() + "\\n")
if config["type"] == "fails" and words[0] == "ADD":
    print(json.dumps({{"code": 11, "msg": "no such bridge"}}))
    sys.exit(1)
number = {{"eth0": 1, "net1": 2}}.get(words[1], 3)
print(json.dumps({{
    "interfaces": [
        {{"name": "veth", "mac": "aa:00"}},
        {{"name": words[1], "mac": f"aa:0{{number}}", "sandbox": "/run/netns/x"}},
    ],
    "ips": [{{"address": f"10.0.0.{{number}}/24"}}],
}}))
"""


class Api:
    """kube-apiserver with one Pod."""

    networks = ""
    patches: ClassVar[list[str]] = []

    def __init__(self, config):
        assert config["server"] == "https://10.124.0.1:6443"

    def call(self, method, path, body=None):
        if method == "PATCH":
            self.patches.append(body["metadata"]["annotations"][attach_networks.STATUS])
            return {}
        if path == "/api/v1/namespaces/slurm/pods/w-0":
            annotations = {attach_networks.NETWORKS: self.networks} if self.networks else {}
            return {"metadata": {"uid": UID, "annotations": annotations}}
        namespace, name = path.split("/")[5], path.split("/")[7]
        resource = {attach_networks.RESOURCE: "sunk.dev/rail-0"} if name == "rail-0" else {}
        config = json.dumps(DEFINITIONS[f"{namespace}/{name}"])
        return {"metadata": {"annotations": resource}, "spec": {"config": config}}


@pytest.fixture
def cni(tmp_path, monkeypatch, capsys):
    """Run a command for a Pod that asks for these networks; returns exit code, answer, calls."""
    programs, log = tmp_path / "bin", tmp_path / "log"
    programs.mkdir()
    for name in ("bridge", "net", "tune", "fails"):
        (programs / name).write_text(PROGRAM.format(python=sys.executable, log=str(log)))
        (programs / name).chmod(0o755)
    rails.lay_out(tmp_path / "sys", Node(number=1), 1)
    (tmp_path / "checkpoint").write_text(json.dumps(CHECKPOINT))
    monkeypatch.setattr(attach_networks, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(attach_networks, "CHECKPOINT", tmp_path / "checkpoint")
    monkeypatch.setattr(rails, "SYSFS", str(tmp_path / "sys"))
    monkeypatch.setattr(attach_networks, "Api", Api)
    monkeypatch.setattr(Api, "patches", [])
    config = {
        **{"cniVersion": "1.0.0", "name": "local", "type": "x", "default": {"type": "bridge"}},
        "server": "https://10.124.0.1:6443",
    }

    def run(command, networks=""):
        monkeypatch.setattr(Api, "networks", networks)
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(config)))
        words = "IgnoreUnknown=1;K8S_POD_NAMESPACE=slurm;K8S_POD_NAME=w-0"
        variables = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c1", "CNI_ARGS": words}
        for key, value in {**variables, "CNI_PATH": str(programs)}.items():
            monkeypatch.setenv(key, value)
        log.write_text("")
        code = main()
        told = capsys.readouterr().out
        return code, json.loads(told) if told else {}, log.read_text().splitlines()

    return run


def test_a_pod_that_asks_for_nothing_gets_the_clusters_network_and_no_status(cni):
    code, answer, calls = cni("ADD")
    assert (code, answer["ips"], calls) == (
        0,
        [{"address": "10.0.0.1/24"}],
        ["ADD eth0 bridge"],
    )
    assert Api.patches == []


def test_a_network_of_a_resource_gets_the_device_that_the_kubelet_gave(cni):
    code, answer, calls = cni("ADD", "default/rail-0")
    assert (code, answer["ips"]) == (0, [{"address": "10.0.0.1/24"}])
    assert calls == ["ADD eth0 bridge", "ADD net1 net 0000:3b:00.2"]
    (status,) = Api.patches
    pci = {"pci-address": "0000:3b:00.2", "rdma-device": "mlx5_2"}
    assert json.loads(status) == [
        {
            **{"name": "local", "interface": "eth0", "ips": ["10.0.0.1"], "mac": "aa:01"},
            **{"default": True, "dns": {}},
        },
        {
            **{"name": "default/rail-0", "interface": "net1", "ips": ["10.0.0.2"], "mac": "aa:02"},
            **{"default": False, "dns": {}},
            "device-info": {"type": "pci", "version": "1.1.0", "pci": pci},
        },
    ]


def test_a_list_of_plugins_is_run_in_order_and_taken_back_in_reverse(cni):
    assert cni("ADD", "default/chain@fast")[2] == [
        "ADD eth0 bridge",
        "ADD fast net",
        "ADD fast tune",
    ]
    assert cni("DEL")[2] == ["DEL fast tune", "DEL fast net", "DEL eth0 bridge"]
    assert cni("DEL")[2] == ["DEL eth0 bridge"]


def test_a_network_that_cannot_be_made_takes_back_those_before_it(cni):
    code, answer, calls = cni("ADD", "default/rail-0, default/broken")
    assert (code, answer["code"]) == (1, 100)
    assert "no such bridge" in answer["msg"]
    assert calls == [
        *("ADD eth0 bridge", "ADD net1 net 0000:3b:00.2", "ADD net2 fails"),
        *("DEL net2 fails", "DEL net1 net 0000:3b:00.2", "DEL eth0 bridge"),
    ]
    assert Api.patches == []


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ("default/rail-0, default/rail-0", "the Pod was given 1 of it"),
        ('[{"name": "rail-0", "ips": ["10.0.0.9"]}]', "ips"),
        ("[{}]", "an entry without a name"),
        ("[1]", "read annotation"),
        ("[", "read annotation"),
    ],
)
def test_what_cannot_be_served_is_an_error_of_the_sandbox(cni, networks, words):
    code, answer, _ = cni("ADD", networks)
    assert code == 1
    assert words in answer["msg"]


def test_versions_are_told(cni):
    code, answer, calls = cni("VERSION")
    assert (code, answer["supportedVersions"][-1], calls) == (0, "1.0.0", [])


def test_both_forms_of_the_annotation_mean_the_same():
    short = asked_for(" a , other/b@fast,c", "slurm")
    long = [{"name": "a"}, {"name": "b", "namespace": "other", "interface": "fast"}, {"name": "c"}]
    assert short == asked_for(json.dumps(long), "slurm")
    assert short == (
        Asked("slurm", "a", "net1"),
        Asked("other", "b", "fast"),
        Asked("slurm", "c", "net3"),
    )
    with pytest.raises(InputError):
        asked_for("[{", "slurm")


def test_devices_are_those_of_the_pod_and_the_resource():
    assert devices_of(CHECKPOINT, UID, "sunk.dev/rail-0") == ["0000:3b:00.2"]
    assert devices_of(CHECKPOINT, UID, "sunk.dev/rail-1") == []
    assert devices_of({"Data": {"PodDeviceEntries": None}}, UID, "sunk.dev/rail-0") == []
