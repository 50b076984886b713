from __future__ import annotations

import pytest

from sunk.clients.kube.protocol import Executed
from sunk.clients.slurm.site import SiteText, read_site
from sunk.errors import Unreachable


class Commands:
    """Answers by what stands behind the variables; a lacking answer is a failure."""

    def __init__(self, answers: dict[str, str], failure: str = "error: no") -> None:
        self._answers = answers
        self._failure = failure

    def __call__(self, argv, *, timeout_seconds, input_text=""):
        words = " ".join(word for word in argv[argv.index("--") + 1 :] if "=" not in word)
        if words in self._answers:
            return Executed(status=0, stdout=self._answers[words], stderr="")
        return Executed(status=1, stdout="", stderr=self._failure)


ANSWERS = {
    "scontrol show config": "MaxArraySize = 1001\n",
    "scontrol --all --oneliner show partition": "PartitionName=main\n",
    "scontrol --all --oneliner show node": "NodeName=w1\n",
    "scontrol show topology": "SwitchName=s1\n",
    "sbatch --help": "--nodes=N\n",
}


def test_site_is_what_the_commands_print():
    assert read_site(Commands(ANSWERS)) == SiteText(
        config="MaxArraySize = 1001\n",
        partitions="PartitionName=main\n",
        nodes="NodeName=w1\n",
        topology="SwitchName=s1\n",
        sbatch_help="--nodes=N\n",
    )


def test_cluster_without_a_topology_has_an_empty_one():
    some = {words: text for words, text in ANSWERS.items() if "topology" not in words}
    assert read_site(Commands(some)).topology == ""


def test_controller_that_does_not_answer_is_unreachable():
    said = "scontrol: error: Unable to contact slurm controller (connect failure)"
    with pytest.raises(Unreachable, match="read the configuration"):
        read_site(Commands({}, said))
