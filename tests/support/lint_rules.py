"""Examples of the lint rules as data, and the reference page that is made from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from sunk.toolkit.lint.engine import lint_bytes
from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.files import facts_from
from sunk.toolkit.lint.model import Finding, Rule
from sunk.toolkit.lint.rules import RULES
from tests.support.pages import ROOT

DATA = ROOT / "tests" / "data" / "lint"
SCRIPTS = tuple(sorted((DATA / "scripts").glob("*.sbatch")))
"""Scripts as people write them well."""
SAID = DATA / "sbatch-said.json"
"""What the real sbatch did with the bad examples."""
KINDS = ("good", "bad", "evasion", "lookalike")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """The examples of one rule.

    Attributes:
        rule: what they are of.
        document: the file, as read.
    """

    rule: Rule
    document: dict[str, Any]

    def script(self, kind: str) -> bytes:
        return str(self.document[kind]).encode()

    def facts(self, kind: str) -> ClusterFacts:
        common = self.document.get("facts", {})
        return facts_from({**common, **self.document.get(f"{kind}_facts", {})}, self.rule.id)

    def findings(self, kind: str) -> tuple[Finding, ...]:
        return lint_bytes("job.sbatch", self.script(kind), self.facts(kind))

    def lines(self, kind: str) -> list[int]:
        """Return the lines on which the rule says something about an example."""
        return sorted({one.line for one in self.findings(kind) if one.rule == self.rule.id})


@cache
def examples_of(rule: str) -> Examples:
    text = (DATA / "rules" / f"{rule}.yaml").read_text()
    return Examples(rule=RULES[rule], document=yaml.safe_load(text))


def said() -> dict[str, Any]:
    """Return what the real sbatch did, by rule; the file may be rewritten between two calls."""
    found: dict[str, Any] = json.loads(SAID.read_text())["rules"]
    return found


CLUSTERS = {
    "tree": "On a cluster of 32 nodes with 8 GPUs each, below two leaf switches: ",
    "block": "On a cluster of 32 nodes in two blocks of 16 (topology/block): ",
}
"""Clusters that claims are tried on where the plain one of the tests will not do."""
_ASKED = {
    "refused": "The real sbatch refuses it:",
    "held": "The real sbatch takes it, and the job asks for:",
    "run": "Run by the real Slurm, it writes this and ends so:",
    "stored": "What the real Slurm keeps of it (`scontrol write batch_script`):",
}


HEAD = """\
<!-- Made from the rules and their examples by `make golden`; edit those. -->
# Lint rules

`sunk job lint FILE...` says what is wrong with sbatch scripts. It parses them: what stands behind a
continuation line, in a function, in a here-document for a shell or in text for `bash -c` is found
too, and a word in a comment or a message is not. A part that it cannot parse is a finding of its
own (P001).

- **error**: the job is refused, lost, or does something else than is written.
- **warning**: it works today, or here, or slowly.
- **info**: worth knowing.

A rule marked *needs facts* is silent without facts of the cluster, and so is the part of any other
rule that needs them: `--live` asks Slurm on a login node, `--facts FILE` reads them from YAML. The
keys are below.

A comment ignores a rule on its line, or on the statement below it; without a reason it ignores
nothing:

```shell
# sunk-lint: ignore=S031 whole nodes, and one such job at a time
export MASTER_PORT=29500
```

`ignore-file=` in place of `ignore=` ignores it in the whole file. `--baseline FILE` leaves out what
was there before: `--write-baseline` writes what is found now into that file.

What the real Slurm does with an example was tried with Slurm RELEASE and is quoted; a test holds
the quotes to it.

`--fix` writes safe fixes, which change nothing but the fault; findings that have one end in
`[--fix]`. `--diff` shows them.

"""
_FACTS = """\
## Facts of a cluster

```console
sunk job lint --facts cluster-facts.yaml job.sbatch
```

What is not given is not known, and never makes a rule fire.

| key | meaning |
|---|---|
"""


def page() -> str:
    """Return the reference page of every rule."""
    release = json.loads(SAID.read_text())["release"]
    parts = [HEAD.replace("RELEASE", release), "| rule | severity | finds |\n|---|---|---|\n"]
    for rule in RULES.values():
        note = ", needs facts" if rule.live else ""
        title = f"[{rule.title}](#{rule.id.lower()})"
        parts.append(f"| {rule.id} | {rule.severity}{note} | {title} |\n")
    parts.append("\n" + _facts())
    parts += [_section(examples_of(name)) for name in RULES]
    return "".join(parts)


def _facts() -> str:
    from pydantic.alias_generators import to_camel

    text = ClusterFacts.__doc__ or ""
    _, _, attributes = text.partition("Attributes:\n")
    rows = []
    for line in attributes.strip().splitlines():
        name, colon, meaning = line.strip().partition(": ")
        if colon and name in ClusterFacts.__dataclass_fields__:
            rows.append(f"| `{to_camel(name)}` | {meaning[0].upper()}{meaning[1:]} |\n")
        else:
            rows[-1] = f"{rows[-1][:-3]} {line.strip()} |\n"
    return _FACTS + "".join(rows).replace("``", "`") + "\n"


def _section(examples: Examples) -> str:
    rule, document = examples.rule, examples.document
    note = " · needs facts of the cluster" if rule.live else ""
    parts = [
        f"## {rule.id}\n\n**{rule.title}** · {rule.severity}{note}\n\n{rule.why}\n\n"
        f"Source: {rule.source}.\n\n"
    ]
    parts.append("Found:\n\n" + _block(document["bad"]) + _messages(examples, "bad"))
    if rule.id in said():
        parts += [
            _quote(claim, record, document)
            for claim, record in zip(document["claims"], said()[rule.id], strict=True)
        ]
    if "untried" in document:
        parts.append(f"Not tried with a real Slurm: {document['untried']}.\n\n")
    if "evasion" in document:
        parts.append("Found too:\n\n" + _block(document["evasion"]))
        parts.append(_messages(examples, "evasion"))
    else:
        parts.append(f"There is no hidden form: {document['no_evasion']}.\n\n")
    parts.append("Not found, as nothing is wrong:\n\n" + _block(document["lookalike"]))
    parts.append("Right:\n\n" + _block(document["good"]))
    return "".join(parts)


def _block(text: str) -> str:
    shown = text.replace("\r\n", "␍\n").rstrip("\n")
    return f"```shell\n{shown}\n```\n\n"


def _messages(examples: Examples, kind: str) -> str:
    facts = {**examples.document.get("facts", {}), **examples.document.get(f"{kind}_facts", {})}
    lines = [
        f"{one.line}:{one.column}: {one.severity} {one.rule} {one.message}"
        for one in examples.findings(kind)
        if one.rule == examples.rule.id
    ]
    given = f"With the facts `{json.dumps(facts)}`:\n\n" if facts else ""
    return given + "```text\n" + "\n".join(lines) + "\n```\n\n"


def _quote(claim: dict[str, Any], record: dict[str, Any], document: dict[str, Any]) -> str:
    script = ""
    if "script" in claim:
        script = "Tried with:\n\n" + _block(claim["script"])
    elif claim.get("example", "bad") != "bad":
        script = "Tried with:\n\n" + _block(document[claim["example"]])
    shown = "\n".join(record["said"])
    asked = _ASKED[record["how"]]
    if cluster := claim.get("cluster"):
        asked = CLUSTERS[cluster] + asked[0].lower() + asked[1:]
    if shown.startswith("JobState="):
        asked = asked.replace("writes this", "writes nothing")
    return f"{script}{asked}\n\n```text\n{shown}\n```\n\n"


def save_said(release: str, records: dict[str, Any]) -> str:
    """Return the text of the file with what sbatch did."""
    document = {"release": release, "rules": dict(sorted(records.items()))}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
