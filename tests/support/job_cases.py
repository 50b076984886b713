"""Jobs from every template, small and large, on clusters of every kind: what tests render."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator

import sunk
from sunk.model.profile import (
    ClusterProfile,
    ContainerRuntime,
    FabricFacts,
    NodeKind,
    ProfilePartition,
    SlurmSettings,
    TopologyPlugin,
)
from sunk.toolkit.catalogue import TEMPLATES, template_named
from sunk.toolkit.job_file import read_job
from sunk.toolkit.parameters import JobParameters, PlacedParameters
from sunk.toolkit.parameters.training import TrainingParameters
from sunk.toolkit.script import render_job

IMAGE = "/images/train.sqsh"
LARGE = {
    "hello": ["nodes=2", "message='it''s $(here); \"x\" `y`'"],
    "mpi": ["tasksPerNode=8", "rankOrder=switches", "program=[python3, -c, \"print('x y')\", 7]"],
    "nccl-tests": [
        *("tasksPerNode=8", "sharp=true", "splitMask='0x7'", "program=[./all_reduce_perf]"),
        "environment={LD_LIBRARY_PATH: /opt/hpcx/nccl_rdma_sharp_plugin/lib}",
    ],
    "torch-bandwidth": [],
    "torchrun-ddp": ["timeLimit='1-00:00:00'", "timeMin='04:00:00'", "saveSeconds=100"],
    "fsdp2": ["timeLimit='1-00:00:00'", "program=[train.py, --name, two words]"],
    "deepspeed": ["globalBatch=128", "microBatch=2", "timeLimit='1-00:00:00'"],
    "megatron": [
        *("tensorParallel=4", "pipelineParallel=2", "virtualStages=2", "contextParallel=2"),
        *("layers=32", "globalBatch=64", "experts=8", "expertParallel=4", "timeLimit=60"),
    ],
    "ray": [],
    "vllm": ["apiKeyFile=/home/alice/key", "options=[--max-model-len, 4096]", "timeLimit=600"],
    "array-sweep": [
        'grid={lr: [0.1, 0.2], name: ["it\'s", b]}',
        "program=[train, '{lr}', '{name}']",
    ],
    "data-preparation": ["tasksPerNode=4", "inputs=[a, b, 'c d']", "shards=3", "nodes=2"],
    "interactive": ["nodes=2", "gpusPerNode=1", "program=[python3, -i]"],
    "health-gate": ["nodes=4", "gpusPerNode=8"],
    "singleton-chain": ["links=5", "dependency=afterany:17", "timeLimit=60"],
}
"""Parameters of a job that uses what its template has, beside the axes."""
COMMON = ("partition=gpu", "account=team", "qos=high", "environment={A: '1', B_2: 'two words'}")
TOPOLOGIES = (TopologyPlugin.TREE, TopologyPlugin.BLOCK, TopologyPlugin.FLAT)
CONTAINERS = (None, ContainerRuntime.PYXIS, ContainerRuntime.APPTAINER)
TRAINING = tuple(one.name for one in TEMPLATES if issubclass(one.form, TrainingParameters))
PLACED = tuple(one.name for one in TEMPLATES if issubclass(one.form, PlacedParameters))
Axes = tuple[TopologyPlugin, ContainerRuntime | None, bool]
"""Topology; what starts containers; whether there are GPUs."""


def profile_of(topology: TopologyPlugin) -> ClusterProfile:
    """Return the profile of a cluster: whole nodes of 8 GPUs and 96 cores."""
    kind = NodeKind(count=16, cpus=192, memory_mib=2_000_000, threads_per_core=2, gpus=8)
    return ClusterProfile(
        cluster="lab",
        slurm=SlurmSettings(topology=topology, max_array_size=1001, max_switch_wait_seconds=300),
        partitions=(ProfilePartition(name="gpu", default=True, nodes=(kind,)),),
        fabric=FabricFacts(nvlink_domain_gpus=8, leaf_nodes=2),
        containers=(ContainerRuntime.PYXIS, ContainerRuntime.APPTAINER),
        modules=("cuda/12.4", "openmpi/5.0.5"),
    )


def defaults(template: str) -> str:
    """Return the script of a job that says nothing."""
    return plain(render_job(*read_job(template, [])).script)


def large_parameters(
    template: str, axes: Axes = (TopologyPlugin.TREE, None, True)
) -> JobParameters:
    """Return the parameters of a large job at one point of the axes."""
    _, container, gpus = axes
    words = [*COMMON, *LARGE[template]]
    if template in PLACED:
        words += ["nodes=4", "segment=2"]
        words += [] if template in {"mpi", "nccl-tests"} else ["processesPerNode=8"]
        words += ["gpusPerNode=8"] if gpus or template == "nccl-tests" else ["gpusPerNode=0"]
        if container is not None:
            words += [f"containerImage={IMAGE}", f"containerRuntime={container}"]
            words += ["containerMounts=['/data:/data:ro']"]
    return read_job(template, words)[1]


def large(template: str, axes: Axes = (TopologyPlugin.TREE, None, True)) -> str:
    """Return the script of a large job at one point of the axes."""
    parameters = large_parameters(template, axes)
    return plain(render_job(template_named(template), parameters, profile_of(axes[0])).script)


def by_srun(template: str, axes: Axes = (TopologyPlugin.TREE, None, True)) -> str:
    """Return the script of a large training whose ranks are started by srun."""
    parameters = large_parameters(template, axes).model_copy(update={"launcher": "srun"})
    return plain(render_job(template_named(template), parameters, profile_of(axes[0])).script)


def axes_of(template: str) -> Iterator[Axes]:
    """Yield the points at which a template has renderings of its own."""
    if template not in PLACED:
        yield from ((one, None, True) for one in TOPOLOGIES)
        return
    gpus = (True,) if template == "nccl-tests" else (True, False)
    yield from itertools.product(TOPOLOGIES, CONTAINERS, gpus)


def named(axes: Axes) -> str:
    """Return a point of the axes in words."""
    topology, container, gpus = axes
    return f"{topology}, {container or 'no container'}, {'GPU' if gpus else 'CPU'}"


def plain(script: str) -> str:
    """Return a script without what changes with every release and parameter."""
    lines = script.replace(sunk.__version__, "VERSION").splitlines(keepends=True)
    lines[1] = lines[1].partition(", parameters ")[0] + "\n"
    return "".join(lines)


def changed_lines(before: str, after: str) -> list[str]:
    """Return the lines that one script has and the other has not, with - and + before them."""
    found = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line[0] + line[2:] for line in found if line[0] in "-+"]


def all_axes(template: str) -> str:
    """Return how the renderings of a large job differ from that on a tree with GPUs."""
    base = large(template)
    parts = []
    for axes in axes_of(template):
        text = "\n".join(changed_lines(base, large(template, axes)))
        parts.append(f"== {named(axes)}\n{text}\n" if text else f"== {named(axes)}\n")
    return "\n".join(parts)


def string_fields(template: str) -> dict[str, set[str]]:
    """Return the parameters that can hold any text, by the key that people write.

    Returns:
        for each the JSON types that occur in it; choices among fixed words are left out.
    """
    schema = template_named(template).form.model_json_schema()
    found = {}
    for name, one in schema["properties"].items():
        kinds = set(_kinds(one))
        if "string" in kinds:
            found[name] = kinds
    return found


def _kinds(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(kind := schema.get("type"), str) and "enum" not in schema:
            yield kind
        parts = {key: one for key, one in schema.items() if key not in {"default", "propertyNames"}}
        for one in parts.values():
            yield from _kinds(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from _kinds(one)
