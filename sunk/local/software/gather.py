"""Everything the local cluster needs built or downloaded, as one value: `ensure_software`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sunk.errors import EnvironmentFault, InputError
from sunk.local.machine import require_root
from sunk.local.software.cache import Cache, Entry, content_key
from sunk.local.software.debian import (
    Mirrors,
    find_mirrors,
    install_hint,
    install_packages,
    missing_packages,
    read_machine_packages,
)
from sunk.local.software.gobuild import (
    COREDNS,
    FUNCTION_PLUGIN,
    GPU_PLUGIN,
    HELM,
    KUBE,
    KUBE_VERSION,
    PAUSE,
    PLUGINS_ALONE,
    GoProgram,
    GoToolchain,
    build_program,
    find_go,
)
from sunk.local.software.image_store import StoreTemplate
from sunk.local.software.images import (
    Workshop,
    base_layer,
    debian_archive,
    dependencies_layer,
    layered_store,
    program_layer,
    toolkit_layer,
)
from sunk.local.software.layer import Layer
from sunk.local.software.oci import Image
from sunk.local.software.prebuilt import Prebuilt, find_prebuilt, require_usable
from sunk.local.software.requirements import check_space, make_folder
from sunk.local.software.tasks import Stop, Task, run_tasks
from sunk.progress import Reporter, Step
from sunk.resources import data_folder

THREADS = 4
"""Go builds use all cores by themselves; the other lanes mostly wait for disk and network."""
KEEP = 3
"""Entries of each kind that stay, the most recently used ones: several checkouts may share."""
UNUSED_SECONDS = 3600
"""Younger ones stay too: another process may be about to use what it was just given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubePrograms:
    """The Kubernetes programs; each path is run as ``[path, *arguments]``.

    Links to one multi-call program when built here (the name it is called by chooses), separate
    files when prebuilt ones are used.

    Attributes:
        version: what they answer, for example ``v1.36.3``.
        apiserver: kube-apiserver.
        controller_manager: kube-controller-manager.
        scheduler: kube-scheduler.
        kubelet: kubelet.
        proxy: kube-proxy.
        kubectl: kubectl of the same version.
        gpu_plugin: simulated-gpu-plugin, our stand-in for a GPU vendor's device plugin.
        function_plugin: simulated-function-plugin, our stand-in for the SR-IOV device plugin.
    """

    version: str
    apiserver: Path
    controller_manager: Path
    scheduler: Path
    kubelet: Path
    proxy: Path
    kubectl: Path
    gpu_plugin: Path
    function_plugin: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """Where everything lies; all paths are inside the cache and must not be written to.

    Attributes:
        kube: Kubernetes programs.
        coredns: the CoreDNS program (also an image).
        helm: the Helm program.
        images: sorted by name: bridge, coredns, login, pause, slurm.
        slurm_rootfs: unpacked root file system of the slurm image, for tests that run Slurm in
            namespaces; mount an overlay over it.
        store: containerd store that holds all images, unpacked; see `clone_store`.
    """

    kube: KubePrograms
    coredns: Path
    helm: Path
    images: tuple[Image, ...]
    slurm_rootfs: Path
    store: StoreTemplate

    def image(self, name: str) -> Image:
        """Return the image called ``sunk.dev/<name>:local``.

        Raises:
            InputError: there is none; the message lists the names.
        """
        for image in self.images:
            if image.name == f"sunk.dev/{name}:local":
                return image
        names = ", ".join(image.name for image in self.images)
        raise InputError(f"find image {name!r}: not one of ours", hint=f"choose one of {names}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareOptions:
    """What a person may choose; settings read the environment, this module does not.

    Attributes:
        kube_bin: folder with the programs, or one multi-call file, to use instead of building
            (``SUNK_KUBE_BIN``).
        search_path: folders looked through for prebuilt programs (PATH).
        debian_mirror: base URI of Debian; the machine's own when absent.
        security_mirror: base URI of Debian's security archive; the machine's own when absent.
        install_packages: whether missing Debian packages of this machine are installed; when
            false, a missing one is an error that names the command.
    """

    kube_bin: Path | None = None
    search_path: tuple[Path, ...] = field(default=())
    debian_mirror: str | None = None
    security_mirror: str | None = None
    install_packages: bool = True


def ensure_software(cache_folder: Path, options: SoftwareOptions, reporter: Reporter) -> Software:
    """Build or download what is missing in `cache_folder` and return where everything lies.

    Safe for several processes at once. The first error stops the other steps and is raised.

    Raises:
        EnvironmentFault: not root, too little space, Go missing or too old, no network.
        CommandError: a build failed; the hint names its log.
    """
    require_root("build the local cluster's software")
    find_go()
    require_usable(options.kube_bin)
    make_folder(cache_folder, "--cache-dir or SUNK_CACHE_DIR")
    cache = Cache(cache_folder)
    check_space(cache_folder, empty=not cache.has_entries())
    run = _Run(cache=cache, options=options, reporter=reporter)
    results = run_tasks(run.tasks(), reporter, run.stop, threads=THREADS)
    cache.prune(keep=KEEP, unused_seconds=UNUSED_SECONDS)
    return _assemble(results)


class _Run:
    """The tasks of one `ensure_software`."""

    def __init__(self, *, cache: Cache, options: SoftwareOptions, reporter: Reporter) -> None:
        self._cache = cache
        self._options = options
        self._reporter = reporter
        self._deploy = data_folder("deploy")
        self._project = self._deploy.parent
        self.stop = Stop()

    def tasks(self) -> tuple[Task, ...]:
        """Return the graph: Go builds one after another, beside them downloads and images."""
        go, pip = "go", "pip"
        toolkit = ("login dependencies", "bridge dependencies", "toolkit")
        return (
            Task(name="left-overs", work=self._sweep),
            Task(name="machine packages", work=self._packages, after=("left-overs",)),
            Task(name="go toolchain", work=self._toolchain, after=("left-overs",)),
            Task(name="pause", work=self._program(PAUSE), after=("go toolchain",), lane=go),
            Task(name="coredns", work=self._program(COREDNS), after=("go toolchain",), lane=go),
            Task(name="debian archive", work=self._archive, after=("machine packages",)),
            Task(name="kubernetes", work=self._kubernetes, after=("go toolchain",), lane=go),
            Task(name="helm", work=self._program(HELM), after=("go toolchain",), lane=go),
            Task(name="slurm", work=self._base("slurm"), after=("debian archive",)),
            Task(
                name="login dependencies",
                work=self._dependencies("login"),
                after=("slurm",),
                lane=pip,
            ),
            Task(
                name="bridge dependencies",
                work=self._dependencies("bridge"),
                after=("slurm",),
                lane=pip,
            ),
            Task(name="toolkit", work=self._toolkit, after=("slurm",), lane=pip),
            Task(name="bridge", work=self._base("bridge"), after=("debian archive",)),
            Task(
                name="image store",
                work=self._store,
                after=("pause", "coredns", "slurm", "bridge", *toolkit),
            ),
        )

    def _shop(self, step: Step) -> Workshop:
        return Workshop(
            cache=self._cache,
            deploy=self._deploy,
            project=self._project,
            say=step.detail,
            hook=self.stop.check,
        )

    def _sweep(self, step: Step, _: Mapping[str, Any]) -> None:
        self._cache.sweep(step.detail)
        step.outcome = "none left"

    def _packages(self, step: Step, _: Mapping[str, Any]) -> None:
        text = (self._deploy / "local/packages.txt").read_text()
        missing = missing_packages(read_machine_packages(text))
        if not missing:
            step.outcome = "all there"
            return
        if not self._options.install_packages:
            raise EnvironmentFault(
                f"use this machine's programs: packages are missing: {' '.join(missing)}",
                hint=install_hint(missing),
            )
        log = self._cache.logs / "machine-packages.log"
        install_packages(missing, log, say=step.detail, hook=self.stop.check)
        step.outcome = f"installed {' '.join(missing)}"

    def _toolchain(self, step: Step, _: Mapping[str, Any]) -> GoToolchain:
        go = find_go()
        step.outcome = go.version
        return go

    def _program(self, program: GoProgram) -> Callable[[Step, Mapping[str, Any]], Entry]:
        def work(step: Step, results: Mapping[str, Any]) -> Entry:
            entry = self._go(step, results, program)
            step.outcome = entry.outcome
            return entry

        return work

    def _go(self, step: Step, results: Mapping[str, Any], program: GoProgram) -> Entry:
        return build_program(
            self._cache,
            results["go toolchain"],
            program,
            self._deploy,
            say=step.detail,
            hook=self.stop.check,
        )

    def _kubernetes(self, step: Step, results: Mapping[str, Any]) -> KubePrograms:
        found = find_prebuilt(self._options.kube_bin, self._options.search_path)
        for reason in found.reasons:
            step.detail(f"not taken: {reason}")
        if found.files:
            plugins = self._go(step, results, PLUGINS_ALONE).content
            step.outcome = f"prebuilt {found.version} from {found.files[0][1].parent}"
            return _kube_programs(self._links(found).content, found.version, plugins)
        entry = self._go(step, results, KUBE)
        step.outcome = "; ".join((entry.outcome, *(f"not taken: {why}" for why in found.reasons)))
        return _kube_programs(entry.content, KUBE_VERSION, entry.content)

    def _links(self, found: Prebuilt) -> Entry:
        """Return a folder of links to prebuilt programs, so that all have their usual names."""

        def build(content: Path) -> None:
            for name, file in found.files:
                (content / name).symlink_to(file.absolute())

        files = (f"{name}={file.absolute()}" for name, file in found.files)
        return self._cache.obtain("kube-links", content_key(*files), build)

    def _archive(self, step: Step, _: Mapping[str, Any]) -> Entry:
        def find() -> Mirrors:
            return find_mirrors(
                self._options.debian_mirror,
                self._options.security_mirror,
                self._cache.logs / "debian-mirrors.log",
                say=step.detail,
                hook=self.stop.check,
            )

        entry = debian_archive(self._shop(step), find)
        step.outcome = entry.outcome
        return entry

    def _base(self, name: str) -> Callable[[Step, Mapping[str, Any]], tuple[Entry, Layer]]:
        def work(step: Step, results: Mapping[str, Any]) -> tuple[Entry, Layer]:
            layer, rootfs = base_layer(self._shop(step), name, results["debian archive"])
            step.outcome = rootfs.outcome
            return rootfs, layer

        return work

    def _dependencies(self, name: str) -> Callable[[Step, Mapping[str, Any]], Layer]:
        def work(step: Step, results: Mapping[str, Any]) -> Layer:
            layer, entry = dependencies_layer(self._shop(step), name, _rootfs(results))
            step.outcome = entry.outcome
            return layer

        return work

    def _toolkit(self, step: Step, results: Mapping[str, Any]) -> Layer:
        layer, entry = toolkit_layer(self._shop(step), _rootfs(results))
        step.outcome = entry.outcome
        return layer

    def _store(
        self, step: Step, results: Mapping[str, Any]
    ) -> tuple[tuple[Image, ...], StoreTemplate]:
        shop = self._shop(step)
        slurm, bridge, ours = results["slurm"][1], results["bridge"][1], results["toolkit"]
        layers: dict[str, list[Layer]] = {
            "bridge": [bridge, results["bridge dependencies"], ours],
            "login": [slurm, results["login dependencies"], ours],
            "slurm": [slurm],
        }
        for name in ("coredns", "pause"):
            program = results[name]
            layer, _ = program_layer(shop, program.content / name, program.key)
            layers[name] = [layer]
        images, template, entry = layered_store(shop, layers)
        step.outcome = entry.outcome
        return tuple(images), template


def _rootfs(results: Mapping[str, Any]) -> Path:
    entry: Entry = results["slurm"][0]
    return entry.content / "root"


def _kube_programs(folder: Path, version: str, plugins: Path) -> KubePrograms:
    return KubePrograms(
        version=version,
        apiserver=folder / "kube-apiserver",
        controller_manager=folder / "kube-controller-manager",
        scheduler=folder / "kube-scheduler",
        kubelet=folder / "kubelet",
        proxy=folder / "kube-proxy",
        kubectl=folder / "kubectl",
        gpu_plugin=plugins / GPU_PLUGIN,
        function_plugin=plugins / FUNCTION_PLUGIN,
    )


def _assemble(results: Mapping[str, Any]) -> Software:
    images, template = results["image store"]
    return Software(
        kube=results["kubernetes"],
        coredns=results["coredns"].content / "coredns",
        helm=results["helm"].content / "helm",
        images=images,
        slurm_rootfs=_rootfs(results),
        store=template,
    )
