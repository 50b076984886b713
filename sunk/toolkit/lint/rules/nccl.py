"""Rules about the environment of NCCL and its network."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.launch import option
from sunk.toolkit.lint.model import Edit, Problem, Rule, Severity
from sunk.toolkit.lint.script import Script, Setting
from sunk.toolkit.lint.shape import modules, most_nodes, several_nodes, uses_mpi, uses_nccl
from sunk.toolkit.lint.words import number_in

_ADAPTER = re.compile(r"[A-Za-z_]+\d*_[1-9]\d*(:\d+)?$")
_PLUGIN = re.compile(r"nccl[_-]rdma[_-]sharp|hpcx|hpc-x|sharp", re.IGNORECASE)
_TUNER = ("NCCL_ALGO", "NCCL_PROTO", "NCCL_NTHREADS", "NCCL_BUFFSIZE")
_OFF = ("NCCL_IB_DISABLE", "NCCL_P2P_DISABLE", "NCCL_SHM_DISABLE")
_USUAL_TIMEOUT_SECONDS = 600
_TIMEOUTS = ("NCCL_TIMEOUT", "TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC", "TORCH_DISTRIBUTED_TIMEOUT")
_TIMEOUT_OPTIONS = {"--distributed_timeout_minutes": 60, "--ddp_timeout": 1, "--nccl_timeout": 1}
_USUAL_OPTION_SECONDS = 1800


def _at(setting: Setting, message: str, severity: Severity | None = None) -> Problem:
    return Problem(line=setting.line, column=setting.column, message=message, severity=severity)


def _gid_index(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    if facts.virtual_functions is False:
        return
    for setting in script.sets("NCCL_IB_GID_INDEX"):
        if setting.word.number is None:
            continue
        sure = facts.virtual_functions is True
        yield _at(
            setting,
            "the index of the right GID differs between Pods and virtual functions"
            + ("" if sure else ", should nodes be such")
            + "; leave it unset (NCCL finds it since 2.21) or find it on each node",
            None if sure else Severity.WARNING,
        )


def _adapter_prefix(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for setting in script.sets("NCCL_IB_HCA"):
        text = setting.word.text
        negated = text.startswith("^")
        names = text.removeprefix("^")
        if names.startswith("=") or not setting.word.constant:
            continue
        loose = [name for name in names.split(",") if _ADAPTER.match(name)]
        if loose:
            yield Problem(
                line=setting.line,
                column=setting.column,
                message=f"{loose[0]} also means every adapter whose name begins so, such as "
                f"{loose[0].split(':')[0]}0; write {'^' if negated else ''}={names}",
                edits=_exact(script, setting, negated=negated),
            )


def _exact(script: Script, setting: Setting, *, negated: bool) -> tuple[Edit, ...]:
    word = setting.word
    if word.start < 0:
        return ()
    written = script.data[word.start : word.end]
    if written.strip(b"\"'") != word.text.encode():
        return ()
    at = word.start + (1 if written[:1] in {b'"', b"'"} else 0) + (1 if negated else 0)
    return (Edit(start=at, end=at, text="="),)


def _interface(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    for setting in script.sets("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "UCX_NET_DEVICES"):
        if setting.name == "UCX_NET_DEVICES" or not setting.word.constant:
            continue
        text = setting.word.text
        if text.startswith("^"):
            continue
        for name in text.removeprefix("=").split(","):
            exact = text.startswith("=") or setting.name.startswith("GLOO")
            there = [
                one
                for one in facts.interfaces
                if one == name or (not exact and one.startswith(name))
            ]
            if facts.interfaces and not there:
                yield _at(
                    setting,
                    f"no node has an interface {name}; they have {', '.join(facts.interfaces)}",
                )
            elif facts.several_networks and name == "eth" and not exact:
                yield _at(
                    setting,
                    "eth means every interface that begins so, and the first may be "
                    "another network; name one: =eth0",
                )


def _tuner(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for setting in script.sets(*_TUNER):
        yield _at(
            setting,
            f"{setting.name} fixes for every size and communicator what NCCL chooses for each; "
            "remove it",
        )


def _debugging(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for setting in script.sets(*_OFF):
        if setting.word.text == "1":
            yield _at(
                setting,
                f"{setting.name}=1 turns a fast path off and is a leftover of debugging; remove it",
            )


def _sharp(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    asked = [one for one in script.sets("NCCL_COLLNET_ENABLE") if one.word.text == "1"]
    asked += [one for one in script.settings if one.name.startswith("SHARP_COLL_")]
    if not asked:
        return
    nodes = most_nodes(script)
    if nodes is not None and nodes <= 2 and script.directives.has("nodes"):
        yield _at(
            asked[0],
            f"SHARP gains nothing on {nodes} node{'s' if nodes > 1 else ''} and may hang; use it "
            "from 3 on",
        )
    elif not _plugin_on_path(script) and not _in_container(script):
        yield _at(
            asked[0],
            "no SHARP plugin of NCCL is on LD_LIBRARY_PATH, so this does nothing; load HPC-X",
        )


def _plugin_on_path(script: Script) -> bool:
    paths = (one.word.text for one in script.sets("LD_LIBRARY_PATH", "NCCL_NET_PLUGIN"))
    sourced = (word.text for command in script.named("source", ".") for word in command.arguments)
    names = (name for name, _ in modules(script))
    return any(_PLUGIN.search(text) for text in (*paths, *sourced, *names))


def _in_container(script: Script) -> bool:
    if script.directives.has("container-image", "container"):
        return True
    if any(True for _ in script.named("apptainer", "singularity", "docker", "podman")):
        return True
    return any(one.step.has("container-image", "container") for one in script.named("srun"))


def _plugin_uninvited(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    if "NCCL_NET_PLUGIN" in script.variables or not uses_nccl(script):
        return
    if any(one.word.text == "1" for one in script.sets("NCCL_COLLNET_ENABLE")):
        return
    for setting in script.sets("LD_LIBRARY_PATH"):
        if _PLUGIN.search(setting.word.text):
            yield _at(setting, _UNINVITED)
            return
    for name, command in modules(script):
        if _PLUGIN.search(name):
            yield Problem(line=command.line, column=command.column, message=_UNINVITED)
            return


_UNINVITED = (
    "NCCL takes the SHARP plugin that it finds on this path, also in a job without SHARP; set "
    "NCCL_NET_PLUGIN=none"
)


def _memlock(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    if facts.memlock_unlimited is not False or not several_nodes(script):
        return
    if not (uses_nccl(script) or uses_mpi(script)):
        return
    asked = script.directives.last("nodes")
    yield Problem(
        line=asked.line if asked else 1,
        message="steps on this cluster may not lock memory without a limit and RDMA cannot "
        "register it; the operator raises slurmd's limit (LimitMEMLOCK, or the Pod's)",
    )


def _timeout(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    message = (
        "a longer time limit of collectives only delays the end of a hang; let it dump the flight "
        "recorder (TORCH_NCCL_DUMP_ON_TIMEOUT=1) and look at the rank that is missing"
    )
    for setting in script.sets(*_TIMEOUTS):
        if (setting.word.number or 0) > _USUAL_TIMEOUT_SECONDS:
            yield _at(setting, message)
    for command in script.commands:
        if not (command.agent or command.name.startswith("python")):
            continue
        for name, unit in _TIMEOUT_OPTIONS.items():
            given = option(command.words, name)
            value = number_in(given.text) if given is not None else None
            if given is not None and (value or 0) * unit > _USUAL_OPTION_SECONDS:
                yield Problem(line=given.line, column=given.column, message=message)


RULES = (
    Rule(
        id="S033",
        severity=Severity.ERROR,
        title="fixed GID index",
        why="GID tables differ between Pods, virtual functions and hosts. A copied 3 is another "
        "address or none: connections time out, or go over the wrong network. Without facts "
        "about virtual functions this is a warning.",
        source="NCCL's documentation, NCCL_IB_GID_INDEX; reports of NCCL and Multus users",
        check=_gid_index,
    ),
    Rule(
        id="S034",
        severity=Severity.WARNING,
        title="adapter name that matches others too",
        why="NCCL_IB_HCA is a list of prefixes: mlx5_1 also means mlx5_10 to mlx5_19. A leading "
        "`=` makes names exact.",
        source="NCCL's documentation, NCCL_IB_HCA",
        check=_adapter_prefix,
    ),
    Rule(
        id="S035",
        severity=Severity.WARNING,
        title="interface that is not there, or not the one",
        why="NCCL gives up with `no socket interface found`, or meets its peers over a network "
        "that was not meant.",
        source="NCCL's documentation, NCCL_SOCKET_IFNAME",
        check=_interface,
        live=True,
    ),
    Rule(
        id="S036",
        severity=Severity.WARNING,
        title="NCCL's choice of algorithm fixed",
        why="What is best for one message size on one layout is fixed for all of them, and stays "
        "when the cluster has long changed.",
        source="NCCL's documentation, NCCL_ALGO, NCCL_PROTO",
        check=_tuner,
    ),
    Rule(
        id="S037",
        severity=Severity.WARNING,
        title="a fast path of NCCL turned off",
        why="Without InfiniBand, peer access or shared memory the job works, at a fraction of "
        "the speed, and nobody notices.",
        source="NCCL's documentation",
        check=_debugging,
    ),
    Rule(
        id="S038",
        severity=Severity.WARNING,
        title="SHARP where it cannot help",
        why="In-network reduction needs three nodes to gain, and a plugin that NCCL can load.",
        source="NVIDIA SHARP's documentation; a report of nccl-tests users",
        check=_sharp,
    ),
    Rule(
        id="S039",
        severity=Severity.WARNING,
        title="network plugin that nobody asked for",
        why="NCCL loads a network plugin that it finds on the library path, and HPC-X brings one.",
        source="NCCL's documentation, NCCL_NET_PLUGIN",
        check=_plugin_uninvited,
    ),
    Rule(
        id="S060",
        severity=Severity.WARNING,
        title="no unlimited locked memory in steps",
        why="RDMA registers memory by locking it. What counts is slurmd's limit, or its Pod's, "
        "not that of the shell that called sbatch.",
        source="slurm.conf(5), PropagateResourceLimits; mlock(2)",
        check=_memlock,
        live=True,
    ),
    Rule(
        id="S061",
        severity=Severity.WARNING,
        title="a hang cured with a longer time limit",
        why="Most hangs of collectives are a rank that died, ran out of memory or waits for "
        "data. A longer limit wastes the nodes for longer.",
        source="torch.distributed's documentation: flight recorder",
        check=_timeout,
    ),
)
