"""Reference pages of the fabric's checks, made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from math import inf

from sunk.assess.check import Check
from sunk_fabric.catalogue.all import CHECKS, GROUPS
from sunk_fabric.catalogue.unjudged import WHY
from sunk_fabric.checks import ports, subnet
from sunk_fabric.checks.judges import JUDGES
from sunk_fabric.collect.kube_texts import REQUESTS
from sunk_fabric.collect.questions import host_questions, once_questions
from sunk_fabric.expected import Expected
from sunk_fabric.limits import LIMITS, Limit
from sunk_fabric.parse.counters import SYSFS_NAMES, WIDTH_BITS
from sunk_fabric.parse.formats import FOR_PEOPLE, FORMATS

HEAD = "<!-- Made from the catalogue by `make golden`; edit that, in fabric/sunk_fabric. -->\n"

TITLES = {
    "accept": "Acceptance drills",
    "app": "Applications",
    "evidence": "Evidence",
    "host": "Hosts",
    "ib": "InfiniBand",
    "k8s": "Multus and Pods",
    "loc": "Locality",
    "nccl": "NCCL",
    "pair": "Pairs of hosts",
    "pcie": "PCIe",
    "rdma": "RDMA devices",
    "roce": "RoCE",
    "runtime": "Runtimes",
    "sched": "Scheduler",
    "sharp": "SHARP",
    "sriov": "SR-IOV",
    "storage": "Storage",
}


def pages() -> dict[str, str]:
    """Return path -> page: the index, one for each group, and one for each check."""
    of_groups = {f"{one}.md": group(one) for one in GROUPS}
    return {"index.md": index(), **of_groups, **{_page_of(one.id): check(one) for one in CHECKS}}


def index() -> str:
    """Return the page with groups, formats and keys."""
    lines = [
        HEAD + "# Checks of the fabric",
        "",
        "What `sunk fabric check` asks, by group. How it decides is in",
        "[How the fabric is judged](../../explain/fabric.md); how to use it, in",
        "[Check a fabric](../../howto/check-a-fabric.md).",
        "",
        "| group | about | checks | judged by this version |",
        "|---|---|---|---|",
    ]
    for name in GROUPS:
        checks = [one for one in CHECKS if one.group == name]
        judged = sum(one.id in JUDGES for one in checks)
        lines.append(f"| [`{name}`]({name}.md) | {TITLES[name]} | {len(checks)} | {judged} |")
    lines += [
        "",
        "A check that is not judged yet is UNKNOWN, as not implemented, and never PASS.",
        "",
        "## Texts",
        "",
        "A file is named after its format: `gpu001/ibstat.txt`, `gpu001/nccl_log.run7.txt`.",
        "",
        "| format | what prints it |",
        "|---|---|",
        *(f"| `{one.name}` | `{one.command}` |" for one in FORMATS),
        "",
        "Collected for people; no check reads them yet:",
        "",
        "| text | what prints it |",
        "|---|---|",
        *(f"| `{name}` | `{command}` |" for name, command in sorted(FOR_PEOPLE.items())),
        "",
        *collected(),
        "## Declarations",
        "",
        "What a site may say about itself, in the file of `--expect`.",
        "",
        "| key | default |",
        "|---|---|",
        *(f"| `{one.name}` | {_default(one)} |" for one in fields(Expected)),
        "",
        "## Limits",
        "",
        "A site sets them otherwise under `thresholds`, such as",
        "`thresholds: {rdma.pair.bandwidth: [0.95, 0.9]}`; findings say so.",
        "",
        "| check | PASS | FAIL beyond | of | source |",
        "|---|---|---|---|---|",
        *(
            f"| `{name}` | {one.passing:g} | {_beyond(one)} | {one.unit} | {one.source} |"
            for name, one in sorted(LIMITS.items())
        ),
        "",
    ]
    return "\n".join(lines)


def collected() -> Iterator[str]:
    """Yield what `sunk fabric collect` asks of whom."""
    yield from ("## What is collected", "", "| asked | text |", "|---|---|")
    for one in host_questions(within_seconds=1):
        yield f"| every host | `{one.name}` |"
    for each in once_questions(within_seconds=1):
        yield f"| {each.of.value} | `{each.question.name}` |"
    for name in (*(name for name, _ in REQUESTS), "pod_networks", "network_status"):
        yield f"| Kubernetes, with `--kubeconfig` | `{name}` |"
    yield ""


def _beyond(one: Limit) -> str:
    never = one.failing in {0.0, inf}
    return "never" if never else f"{one.failing:g}"


def _default(one) -> str:
    if one.default is MISSING or one.default in (None, ()):
        return "none"
    return f"`{str(one.default).lower() if isinstance(one.default, bool) else one.default}`"


def group(name: str) -> str:
    """Return the page of one group: its checks, each with a page of its own."""
    lines = [
        HEAD + f"# {TITLES[name]}",
        "",
        "| check | what it proves | tried on |",
        "|---|---|---|",
    ]
    for one in CHECKS:
        if one.group == name:
            lines.append(f"| [`{one.id}`]({_page_of(one.id)}) | {_about(one)} | {_tried(one)} |")
    lines.append("")
    if name == "rdma":
        lines += _counters()
    return "\n".join(lines)


def check(one: Check) -> str:
    """Return the page of one check."""
    return "\n".join((HEAD + f"# {one.id}", "", f"{_about(one)}.", "", *_facts(one)))


def _page_of(name: str) -> str:
    return f"{name.partition('.')[0]}/{name}.md"


def _about(one: Check) -> str:
    return f"{one.title}: {one.proves}"


def _tried(one: Check) -> str:
    return str(one.proof) if one.id in JUDGES else "nothing: not implemented"


def _facts(one: Check) -> Iterator[str]:
    yield from ("| | |", "|---|---|")
    yield f"| group | [{TITLES[one.group]}](../{one.group}.md) |"
    yield f"| domain | {one.domain} |"
    yield f"| reads | {_cell(one.reads)} |"
    yield f"| rule | {_cell(one.criterion.rule)} |"
    yield f"| source | {one.criterion.source} |"
    if one.id in LIMITS:
        limit = LIMITS[one.id]
        told = f"PASS to {limit.passing:g}, FAIL beyond {_beyond(limit)}, of {limit.unit}"
        yield f"| limits | {told}; a site may set [others](../index.md#limits) |"
    yield f"| remedy | {_cell(one.remedy)} |"
    if one.depends_on:
        yield f"| waits for | {_names(one.depends_on)} |"
    if one.explained_by:
        yield f"| explained by | {_names(one.explained_by)} |"
    yield f"| tried on | {_tried(one)} |"
    if one.id not in JUDGES:
        yield f"| why not | {_cell(WHY[one.id])} |"
    yield ""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"[`{name}`](../{_page_of(name)})" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _counters() -> Iterator[str]:
    yield from ("## Counters", "")
    yield "A counter stops at its maximum; one that stands there, or went down, says nothing."
    yield from ("", "| infiniband-diags | sysfs | bits | growth is |", "|---|---|---|---|")
    for name, bits in WIDTH_BITS.items():
        kernel = SYSFS_NAMES.get(name, "")
        noted = name in subnet.NOTED or kernel in ports.NOTED
        shown = f"`{kernel}`" if kernel else "-"
        yield f"| `{name}` | {shown} | {bits} | {'WARN' if noted else 'FAIL'} |"
    yield ""
