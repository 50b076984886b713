"""Rules over several parameters: each error says what would do, and that does."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.toolkit.catalogue import TEMPLATES
from sunk.toolkit.job_file import read_job
from sunk.toolkit.parameters.base import nearest_divisor
from sunk.toolkit.parameters.many import ArraySweepParameters
from sunk.toolkit.script import render_job
from sunk.toolkit.starter import starter

NAMES = [one.name for one in TEMPLATES]


@pytest.mark.parametrize(
    ("template", "words", "message"),
    [
        ("hello", ["nodes=0"], "nodes: 0: is below the least, 1 (Nodes.) "
         "(source: the template's form; nearest: 1)"),
        ("hello", ["memoryPerNode=64GiB"], "nearest: 64G"),
        ("hello", ["timeLimit=4h"], "nearest: 04:00:00"),
        ("hello", ["timeLimit=2d"], "nearest: 2-0"),
        ("hello", ["timeLimit=90m"], "timeLimit: '90m': wanted is minutes, MM:SS, HH:MM:SS, D-HH, "
         "D-HH:MM, D-HH:MM:SS or UNLIMITED (Time limit:"),
        ("hello", ["timeLimit=90m"], "nearest: 01:30:00"),
        ("hello", ["dependency=foo"], "dependency: 'foo': wanted is singleton, or after"),
        ("hello", ["memoryPerNode=12Q"], "memoryPerNode: '12Q': wanted is a whole number"),
        ("mpi", ["containerMounts=[x]"], "containerMounts.0: 'x': wanted is SOURCE:TARGET"),
        ("hello", ["exclusive=maybe"], "exclusive: 'maybe': is neither true nor false"),
        ("fsdp2", ["launcher=mpirun"], "launcher: 'mpirun': is not one of 'torchrun' or 'srun'"),
        ("hello", ["memoryPerNode=90m"], "nearest: 90M"),
        ("mpi", ["nodes=6", "segment=4"], "segment: 4: has to divide 6 nodes "
         "(source: sbatch(1), --segment; nearest: 3)"),
        ("mpi", ["containerMounts=['/a:/b']"], "needs containerImage"),
        ("mpi", ["containerImage='nvcr.io/x:24.10'"], "containerImage: 'nvcr.io/x:24.10'"),
        ("torchrun-ddp", ["gpusPerNode=4", "processesPerNode=8"], "at most one for each of 4 GPUs"),
        ("torchrun-ddp", ["signalSeconds=100"], "signalSeconds: 100: at least 120 s"),
        ("torchrun-ddp", ["saveSeconds=200"], None),
        ("torchrun-ddp", ["saveSeconds=200", "signalSeconds=300"], "at least 345 s"),
        ("torchrun-ddp", ["timeLimit=2"], "timeLimit: '2': longer than the 120 s before the end "
         "(source: signalSeconds; nearest: 3)"),
        ("torchrun-ddp", ["timeMin=20"], "timeMin: '20': at most timeLimit 10"),
        ("nccl-tests", ["gpusPerNode=8"], "tasksPerNode: 1: one rank for each of 8 GPUs"),
        ("nccl-tests", ["minBytes=1G", "maxBytes=1M"], "minBytes: '1G': at most maxBytes 1M"),
        ("nccl-tests", ["sharp=true"], "sharp: True: needs 3 nodes"),
        ("deepspeed", ["nodes=2", "globalBatch=3"], "globalBatch: 3: a multiple of 2 "
         "(source: microBatch · 2 replicas; nearest: 4)"),
        ("deepspeed", ["nodes=3", "partitionGroup=2"], "partitionGroup: 2: has to divide 3 ranks"),
        ("megatron", ["nodes=6", "tensorParallel=4"], "tensorParallel: 4: TP·CP·PP = 4 has to "
         "divide 6 ranks (source: world = TP·CP·PP·DP; nearest: 3)"),
        ("megatron", ["nodes=2", "pipelineParallel=2", "virtualStages=5"], "layers: 24: a multiple "
         "of 10 (source: pipelineParallel · virtualStages; nearest: 20)"),
        ("megatron", ["virtualStages=2"], "virtualStages: 2: needs a pipeline"),
        ("megatron", ["nodes=4", "expertParallel=4"], "expertParallel: 4: has to divide 1 experts"),
        ("megatron", ["nodes=3", "tensorParallel=3"], "tensorParallel: 3: has to divide 16 heads "
         "(source: heads of a rank; nearest: 2)"),
        ("vllm", ["nodes=2", "tensorParallel=3"], "has to be 2"),
        ("vllm", ["options=[--api-key, x]"], "everybody on a node can read"),
        ("array-sweep", ["grid={a: []}"], "grid: 0: 1 to 4000001 combinations"),
        ("array-sweep", ["grid={a: [1]}", "settings=[{a: 1}]"], "not together with settings"),
        ("data-preparation", ["shards=2"], "shards: 2: at most one for each of 1 inputs"),
        ("data-preparation", ["memoryPerNode=1G"], "not together with memoryPerNode"),
        ("data-preparation", ["exclusive=true"], "lint rule S020"),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit_each_other_are_refused_with_what_would_do(
    template, words, message
):
    if message is None:
        read_job(template, words)
        return
    with pytest.raises(InputError) as raised:
        read_job(template, words)
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_TOKEN", "abc"),
        ("DB_PASSWORD", "x"),
        ("ANY", "hf_" + "a" * 30),
        ("ANY", "before AKIA" + "A" * 16),
    ],
)
def test_secret_is_refused_without_being_shown(name, value):
    with pytest.raises(InputError) as raised:
        read_job("hello", [f"environment={{{name}: '{value}'}}"])
    assert value not in raised.value.message or len(value) < 4
    assert "file of mode 600" in raised.value.message


TOKEN = "hf_" + "a" * 30


@pytest.mark.parametrize(
    ("template", "assignment", "field"),
    [
        ("fsdp2", f"program=[train.py, --token, {TOKEN}]", "program"),
        ("fsdp2", f"program=[train.py, '--hub={TOKEN}']", "program"),
        ("mpi", "program=[app, --db-password, hunter2]", "program"),
        ("mpi", "program=[app, --api-key=hunter2]", "program"),
        ("mpi", "program=[env, DB_PASSWORD=hunter2, app]", "program"),
        ("hello", f"message={TOKEN}", "message"),
        ("array-sweep", f"grid={{token: [{TOKEN}, b]}}", "grid"),
        ("data-preparation", f"inputs=['https://x/?t={TOKEN}']", "inputs"),
    ],
)
def test_secret_in_any_text_is_refused_without_being_shown(template, assignment, field):
    with pytest.raises(InputError) as raised:
        read_job(template, [assignment])
    assert f"{field}: '(not shown)': no secrets" in raised.value.message
    assert "hunter2" not in raised.value.message
    assert TOKEN not in raised.value.message


@pytest.mark.parametrize(
    "program",
    [
        "[app, --token-file, /home/alice/token]",
        "[app, --token, /home/alice/token]",
        "[app, --max-tokens, '4096']",
        "[app, --tokens, data.bin, --password, --verbose]",
        "[app, token, abc]",
    ],
)
def test_words_that_only_resemble_a_secret_may_stand(program):
    read_job("mpi", [f"program={program}"])


@pytest.mark.parametrize("value", ["", "/home/alice/token", "~/token"])
def test_file_with_a_secret_may_be_named(value):
    read_job("hello", [f"environment={{HF_TOKEN: '{value}'}}"])


@given(
    nodes=st.integers(1, 64),
    tensor=st.integers(1, 8),
    pipeline=st.integers(1, 8),
    micro=st.integers(1, 4),
)
def test_layout_is_refused_or_multiplies_to_the_world(nodes, tensor, pipeline, micro):
    words = [f"nodes={nodes}", f"tensorParallel={tensor}", f"pipelineParallel={pipeline}"]
    words += [f"microBatch={micro}", "heads=840", "layers=840"]
    try:
        _, found = read_job("megatron", words)
    except InputError:
        assert nodes % (tensor * pipeline)
        return
    assert found.data_parallel * tensor * pipeline == nodes
    assert found.step_batch == found.data_parallel * micro


@given(number=st.integers(1, 500), wanted=st.integers(1, 500))
def test_nearest_divisor_divides_and_none_is_nearer(number, wanted):
    found = nearest_divisor(number, wanted)
    assert number % found == 0
    assert all(
        number % one for one in range(1, number + 1) if abs(one - wanted) < abs(found - wanted)
    )


@given(grid=st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), st.lists(st.integers())))
def test_elements_of_a_grid_are_all_combinations_once(grid):
    count = 1
    for values in grid.values():
        count *= len(values)
    assume(grid and 0 < count < 2000)
    elements = ArraySweepParameters(grid=grid).elements
    assert len(elements) == count
    assert all(one[key] in grid[key] for one in elements for key in grid)


@pytest.mark.parametrize("template", NAMES)
def test_starter_means_the_defaults_with_and_without_its_comments(template, tmp_path):
    (one,) = [one for one in TEMPLATES if one.name == template]
    file = tmp_path / "job.yaml"
    text = starter(one)
    for content in (text, uncommented(text)):
        file.write_text(content)
        assert read_job(str(file), []) == read_job(template, [])
    assert all(f"{field.alias}: " in text for field in one.form.model_fields.values())


def uncommented(text: str) -> str:
    """Take the mark off every line that stands below the meaning of a parameter."""
    lines = text.splitlines()
    at = [number + 1 for number, line in enumerate(lines[3:], start=3) if not line]
    for number in at:
        lines[number + 1] = lines[number + 1].removeprefix("# ")
    return "\n".join(lines)


def test_frozen_files_are_what_the_parameters_say():
    job = render_job(*read_job("deepspeed", ["nodes=2", "gpusPerNode=8", "globalBatch=64"]))
    assert job.files["deepspeed.json"] == (
        '{\n "train_batch_size": 64,\n "train_micro_batch_size_per_gpu": 1,\n'
        ' "gradient_accumulation_steps": 4,\n "bf16": {\n  "enabled": true\n },\n'
        ' "zero_optimization": {\n  "stage": 3,\n  "zero_hpz_partition_size": 8\n }\n}\n'
    )
    sweep = render_job(*read_job("array-sweep", ["grid={a: [1, 2]}"]))
    assert sweep.files == {"settings.json": '[\n {\n  "a": 1\n },\n {\n  "a": 2\n }\n]\n'}
    assert sweep.elements == 2
