"""The words that start a job's steps; pure.

Every option of srun is written out. Slurm's own defaults differ between releases and sites, and
most of them are wrong for ranks that wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator

from sunk.toolkit.parameters import JobParameters, NodeParameters
from sunk.toolkit.parameters.first import (
    HealthGateParameters,
    HelloParameters,
    MpiParameters,
    NcclTestsParameters,
    RankedParameters,
)
from sunk.toolkit.parameters.serving import VllmParameters
from sunk.toolkit.parameters.training import (
    DeepSpeedParameters,
    Fsdp2Parameters,
    MegatronParameters,
    TrainingParameters,
)
from sunk.toolkit.run_files import DEEPSPEED_FILE
from sunk.toolkit.shape import Shape

Line = tuple[str, ...]
_END = "--kill-on-bad-exit=1"
_TOGETHER: Line = (_END, "--wait=60", "--oom-kill-step=1")
"""One rank's end is everybody's."""
_SET_FOR_PROGRAMS = (
    *("ATTEMPT", "MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS", "PYTHONPATH", "RUN"),
    *("SAVE_FLAG", "WORLD_SIZE"),
)
_SET_FOR_NCCL = (
    *("NCCL_DEBUG", "NCCL_DEBUG_FILE", "NCCL_DEBUG_SUBSYS", "TORCH_FR_BUFFER_SIZE"),
    *("TORCH_FR_DUMP_TEMP_FILE", "TORCH_NCCL_DUMP_ON_TIMEOUT"),
)


def step_lines(parameters: JobParameters, shape: Shape) -> tuple[Line, ...]:
    """Return the options of srun for the main step, in lines as a person would break them."""
    if isinstance(parameters, TrainingParameters) and parameters.launcher == "srun":
        return tuple(_tasks(parameters, shape))
    if isinstance(parameters, NodeParameters):
        return tuple(_launchers(parameters, shape))
    if isinstance(parameters, RankedParameters):
        return tuple(_ranks(parameters, shape))
    label: Line = ("--label",) if isinstance(parameters, HelloParameters) else ()
    first = (*_size(parameters), f"--cpus-per-task={shape.cpus_per_task}", "--distribution=block")
    # Of the health gate every node is to report, whatever becomes of another.
    end = "--kill-on-bad-exit=0" if isinstance(parameters, HealthGateParameters) else _END
    return ((*first, "--export=ALL", *label), (end,))


def _size(parameters: JobParameters) -> Line:
    return (f"--nodes={parameters.nodes}", f"--ntasks-per-node={parameters.tasks_per_node}")


def _gpus(parameters: JobParameters) -> Line:
    # Hidden peers cost CUDA IPC: every rank sees all GPUs of its node and takes its own.
    return ("--gpu-bind=none",) if parameters.gpus_per_node else ()


def _launchers(parameters: NodeParameters, shape: Shape) -> Iterator[Line]:
    yield (
        *_size(parameters),
        f"--cpus-per-task={shape.cpus_per_task}",
        "--distribution=block:block",
    )
    yield ("--cpu-bind=none", *_gpus(parameters), "--mpi=none", "--export=ALL")
    # Ranks have logs of their own. Where they share one, srun has to keep their lines apart.
    yield (*_TOGETHER, "--unbuffered")


def _tasks(parameters: TrainingParameters, shape: Shape) -> Iterator[Line]:
    """Yield the options for a task of each rank, within an allocation of one task on each node."""
    ranks = parameters.ranks_per_node
    yield (
        *(f"--nodes={parameters.nodes}", f"--ntasks={parameters.world}"),
        *(f"--ntasks-per-node={ranks}", f"--cpus-per-task={shape.cpus_per_task // ranks}"),
        "--distribution=block:block",
    )
    yield ("--cpu-bind=cores", *_gpus(parameters), "--mpi=none", "--export=ALL")
    yield (*_TOGETHER, "--unbuffered")


def _ranks(parameters: RankedParameters, shape: Shape) -> Iterator[Line]:
    cpus = f"--cpus-per-task={shape.cpus_per_task}"
    if parameters.rank_order == "switches":
        yield (f"--ntasks={parameters.world}", cpus, "--distribution=arbitrary")
    else:
        yield (*_size(parameters), cpus, "--distribution=block:block")
    yield (f"--mpi={parameters.mpi_plugin}", *_gpus(parameters), "--export=ALL")
    yield _TOGETHER


def container_variables(parameters: JobParameters) -> str:
    """Return the variables that win over those baked into an image, as pyxis takes them."""
    names = {*_SET_FOR_PROGRAMS, *parameters.environment, *_set_by_template(parameters)}
    if parameters.gpus_per_node:
        names |= set(_SET_FOR_NCCL)
    return ",".join(sorted(names))


def _set_by_template(parameters: JobParameters) -> Iterator[str]:
    if isinstance(parameters, MpiParameters):
        yield from ("UCX_LOG_FILE", "UCX_LOG_LEVEL")
    if isinstance(parameters, NcclTestsParameters):
        yield from ("NCCL_TESTS_SPLIT_MASK",) if parameters.split_mask is not None else ()
        yield from ("NCCL_COLLNET_ENABLE",) if parameters.sharp else ()
    if isinstance(parameters, VllmParameters):
        yield from ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if parameters.offline else ()
        yield from ("API_KEY_FILE",) if parameters.api_key_file is not None else ()
    if isinstance(parameters, Fsdp2Parameters) and parameters.gpus_per_node:
        yield "PYTORCH_CUDA_ALLOC_CONF"
    if isinstance(parameters, MegatronParameters) and parameters.one_queue:
        yield "CUDA_DEVICE_MAX_CONNECTIONS"


def options_of(parameters: JobParameters) -> tuple[str, ...]:
    """Return the arguments that follow a program's own and come from parameters."""
    if isinstance(parameters, MegatronParameters):
        return tuple(_megatron(parameters))
    if isinstance(parameters, DeepSpeedParameters):
        return ("--deepspeed", "--deepspeed_config", DEEPSPEED_FILE)
    if isinstance(parameters, VllmParameters):
        tensor = ("--tensor-parallel-size", str(parameters.tensor_size))
        pipeline = ("--pipeline-parallel-size", str(parameters.pipeline_size))
        return (*tensor, *pipeline, *parameters.options)
    return ()


def _megatron(parameters: MegatronParameters) -> Iterator[str]:
    sizes = {
        "num-layers": parameters.layers,
        "num-attention-heads": parameters.heads,
        "hidden-size": parameters.hidden,
        "seq-length": parameters.sequence,
        "max-position-embeddings": parameters.sequence,
        "micro-batch-size": parameters.micro_batch,
        "global-batch-size": parameters.step_batch,
        "tensor-model-parallel-size": parameters.tensor_parallel,
        "context-parallel-size": parameters.context_parallel,
        "expert-model-parallel-size": parameters.expert_parallel,
        "pipeline-model-parallel-size": parameters.pipeline_parallel,
        "distributed-timeout-minutes": parameters.timeout_minutes,
    }
    for name, value in sizes.items():
        yield from (f"--{name}", str(value))
    if parameters.experts:
        yield from ("--num-experts", str(parameters.experts))
    if parameters.virtual_stages > 1:
        layers = parameters.layers // parameters.pipeline_parallel // parameters.virtual_stages
        yield from ("--num-layers-per-virtual-pipeline-stage", str(layers))
    if parameters.tensor_parallel > 1:
        yield "--sequence-parallel"
    # Tensor parallelism innermost: neighbours in rank are neighbours on NVLink.
    yield "--use-distributed-optimizer"
