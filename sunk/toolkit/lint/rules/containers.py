"""Rules about containers under srun: pyxis, apptainer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.launch import CONTAINERS
from sunk.toolkit.lint.model import Problem, Rule, Severity
from sunk.toolkit.lint.script import Command, Script
from sunk.toolkit.lint.shape import several_nodes
from sunk.toolkit.lint.words import Word

_TUNED = re.compile(r"(NCCL|UCX|OMPI|FI|SHARP)_")
_JOB = ("SLURM_JOB_ID", "SLURM_JOBID", "SLURM_ARRAY_JOB_ID")
_FILE = re.compile(r"\.(sqsh|squashfs|sif|simg)$")
_HOME = re.compile(r"^(/|/home|/users|/root|~|\$\{?HOME\}?)/?$")


def _script_inside(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    image = script.directives.last("container-image")
    if image is None:
        return
    for command in script.named("srun"):
        yield Problem(
            line=image.line,
            column=image.column,
            message="the batch script itself runs in the container, which has no srun (line "
            f"{command.line}); give --container-image to srun",
        )
        return


def _environment(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    tuned = {
        setting.name
        for setting in script.settings
        if _TUNED.match(setting.name) and setting.exported and not setting.context.level
    }
    if not tuned:
        return
    for step in script.named("srun"):
        options = step.step
        if not options.has("container-image", "container-name"):
            continue
        lost = sorted(tuned - set((options.value("container-env") or "").split(",")))
        if lost:
            yield Problem(
                line=step.line,
                column=step.column,
                message=f"an image that sets {lost[0]} wins over the script; name it: "
                f"--container-env={','.join(lost)}",
            )


def _shared_name(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    option = script.directives.last("container-name")
    if option is not None and "%j" not in (option.value or ""):
        yield Problem(line=option.line, column=option.column, message=_NAME)
    for step in script.named("srun"):
        name = step.step.value("container-name")
        if name is not None and not any(one in name for one in _JOB):
            yield Problem(line=step.line, column=step.column, message=_NAME)


_NAME = (
    "a container of this name outlives the job and the next one finds its state; put the job's "
    "number in: --container-name=NAME-$SLURM_JOB_ID"
)


def _registry(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    if not several_nodes(script):
        return
    for image, line, column in _images(script):
        if _FILE.search(image) or image.startswith(("/", "./", "$", "~")) or "@sha256:" in image:
            continue
        yield Problem(
            line=line,
            column=column,
            message=f"every node pulls {image[:60]}, and its tag may change; import it once to a "
            "file on shared storage, and note its digest",
        )


def _images(script: Script) -> Iterator[tuple[str, int, int]]:
    option = script.directives.last("container-image")
    if option is not None:
        yield option.value or "", option.line, option.column
    for step in script.named("srun"):
        image = step.step.value("container-image")
        if image:
            yield image, step.line, step.column
    for command in script.named(*CONTAINERS):
        for word in command.arguments:
            if re.match(r"(docker|oras|library|shub)://", word.text):
                yield word.text, word.line, word.column


def _mounts(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for mount, line, column in _all_mounts(script):
        source, _, rest = mount.partition(":")
        if _HOME.match(source) and not rest.endswith(":ro") and ",ro" not in rest:
            yield Problem(
                line=line,
                column=column,
                message=f"the container may write all of {source}; mount the folders that it "
                "needs, with :ro where it only reads",
            )
    for step in script.named("srun"):
        if step.step.has("container-mount-home"):
            yield Problem(
                line=step.line,
                column=step.column,
                message="the container may write your whole home folder; mount the folders that "
                "it needs with --container-mounts",
            )


def _all_mounts(script: Script) -> Iterator[tuple[str, int, int]]:
    option = script.directives.last("container-mounts")
    if option is not None:
        for mount in (option.value or "").split(","):
            yield mount, option.line, option.column
    for step in script.named("srun"):
        for mount in (step.step.value("container-mounts") or "").split(","):
            if mount:
                yield mount, step.line, step.column
    for command in script.named(*CONTAINERS):
        for word in _binds(command):
            for mount in (
                word.text.partition("=")[2].split(",") if "=" in word.text else [word.text]
            ):
                yield mount, word.line, word.column


def _binds(command: Command) -> Iterator[Word]:
    words = command.words
    for number, word in enumerate(words):
        if word.text in {"-B", "--bind"} and number + 1 < len(words):
            yield words[number + 1]
        elif word.text.startswith("--bind="):
            yield word


RULES = (
    Rule(
        id="S046",
        severity=Severity.ERROR,
        title="batch script in a container that needs srun",
        why="`#SBATCH --container-image` puts the script itself into the container. Images have "
        "no srun, no configuration and no credentials of the cluster.",
        source="pyxis' documentation, sbatch",
        check=_script_inside,
    ),
    Rule(
        id="S047",
        severity=Severity.WARNING,
        title="tuning that the image overrides",
        why="Variables that the image sets win over those of the job, so tuned NCCL_ settings are "
        "silently lost.",
        source="pyxis' documentation, --container-env",
        check=_environment,
    ),
    Rule(
        id="S048",
        severity=Severity.WARNING,
        title="container name that jobs share",
        why="A named container is kept. What one job changed in it, the next finds.",
        source="pyxis' documentation, --container-name",
        check=_shared_name,
    ),
    Rule(
        id="S049",
        severity=Severity.WARNING,
        title="image from a registry on every node",
        why="N nodes pull N times, and a tag may be another image tomorrow.",
        source="pyxis' and apptainer's documentation",
        check=_registry,
    ),
    Rule(
        id="S050",
        severity=Severity.WARNING,
        title="everything mounted for writing",
        why="A mistake in the image or the program reaches the whole home folder or host.",
        source="pyxis' documentation, --container-mounts; apptainer(1), --bind",
        check=_mounts,
    ),
)
