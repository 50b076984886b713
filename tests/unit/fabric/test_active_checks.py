"""What active tests say as findings: from a folder of outputs and a record, whole."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from sunk.assess.bundle import Kept, pack
from sunk.assess.evidence import evidence_of
from sunk.clients import evidence_files
from sunk_fabric import service
from sunk_fabric.active.campaign import campaign
from sunk_fabric.active.heat import draw
from sunk_fabric.active.patterns import Pattern
from sunk_fabric.active.readings import samples_of
from sunk_fabric.active.record import record_of, record_text
from sunk_fabric.active.samples import Gone
from sunk_fabric.active.session import COMMAND, cleanup_words
from sunk_fabric.expected import Expected
from sunk_fabric.parse import iperf3, pair, perftest
from sunk_fabric.parse.traffic_record import Attempt, Cleanup
from sunk_jobs.outputs.results import COLLECTIVES, PAIR
from tests.support.active_world import World, made_plan, two_level
from tests.support.fabric_texts import FOLDER
from tests.support.golden import check_golden

DECLARED = Expected(port_gbit_per_s=1.05)


class Folder:
    """Runs a plan in a world and writes the folder that the command would."""

    def __init__(self, path, world, made, *, cleanup="clean", interrupted=False):
        self.path = path
        self.world = world
        self.made = made
        self.kept: dict[str, Kept] = {}
        self.attempts: list[Attempt] = []
        campaign(made, 0.2, self)
        states = tuple(Cleanup(host=host, state=cleanup) for host in made.layout.hosts)
        self.record = record_of(made, "pair", 0.2, self.attempts, states, interrupted=interrupted)
        text = record_text(self.record)
        last = Kept(evidence=evidence_of(text, command=COMMAND, exit_code=0), output=text)
        evidence_files.write(path, pack([*self.kept.values(), last]))

    def transfer(self, number, phase, flows):
        world = self.world
        world._hop = lambda flow: self.made.layout.hop(*flow.ends)
        return [self._kept(one, number) for one in world.transfer(number, phase, flows)]

    def skip(self, samples):
        self.attempts += [self._attempt(one, gone=one.gone) for one in samples]

    def _kept(self, sample, number):
        output = (json.dumps(transfer_of(sample, self.world), sort_keys=True) + "\n").encode()
        command = ("python3", "-m", "sunk_jobs.pair", "send", f"--to={sample.flow.receiver}")
        made = evidence_of(
            output, command=command, host=sample.flow.sender, at=f"round {number}", exit_code=0
        )
        self.kept[made.id] = Kept(evidence=made, output=output)
        sample = replace(sample, evidence=made.id)
        self.attempts.append(self._attempt(sample))
        return sample

    @staticmethod
    def _attempt(sample, gone=""):
        return Attempt(
            round=sample.round,
            phase=sample.phase,
            sender=sample.flow.sender,
            receiver=sample.flow.receiver,
            evidence=sample.evidence if not gone else "",
            gone=gone,
        )

    def findings(self, expected=DECLARED):
        return service.check(self.path, expected, None, ("pair",))


def transfer_of(sample, world):
    if sample.gone is Gone.CUT:
        return {"schema": PAIR, "failed": "connect to it: timed out"}
    sent = 10**8
    return {
        "schema": PAIR,
        "complete": True,
        "bytes": sent,
        "seconds": sent * 8 / sample.gbit_per_s / 1e9,
        "gbit_per_s": sample.gbit_per_s,
        "segments": 100_000,
        "retransmits": round(sample.retransmit_share * 100_000),
        "congestion": "cubic",
        "rtt_us": round(sample.rtt_us),
        "local_device": world.device,
        "local_mtu_bytes": world.mtus.get(sample.flow.sender, 1500),
        "peer_device": world.device,
        "peer_mtu_bytes": world.mtus.get(sample.flow.receiver, 1500),
    }


class Named(World):
    """A world whose hosts say which device and MTU they have."""

    device = "eth0"
    mtus: dict[str, int] = {}  # noqa: RUF012 - set by tests


def folder(
    tmp_path, made=None, device="eth0", mtus=None, cleanup="clean", cut_short=False, **words
):
    world = Named(**words)
    world.device, world.mtus = device, mtus or {}
    made = made or made_plan(6)
    return Folder(tmp_path / "found", world, made, cleanup=cleanup, interrupted=cut_short)


def said(findings, *verdicts):
    return [(one.check, one.subject) for one in findings if one.verdict in verdicts]


BAD = ("FAIL", "WARN", "UNKNOWN", "BLOCKED")


def test_healthy_test_is_good_in_all(tmp_path):
    findings = folder(tmp_path).findings()
    assert said(findings, *BAD) == []
    assert {one.check for one in findings} == {
        *("pair.class.rate", "pair.cleanup", "pair.congestion", "pair.host.rate"),
        *(
            "pair.leaf.rate",
            "pair.link.rate",
            "pair.loss",
            "pair.path",
            "pair.reach",
            "pair.settings",
            "pair.whole",
        ),
    }


def test_slow_host_is_one_line_for_both_ways(tmp_path):
    findings = folder(tmp_path, sends={"h3": 0.3}, receives={"h3": 0.3}).findings()
    assert said(findings, *BAD) == [("pair.host.rate", "node/h3")]
    (one,) = [each for each in findings if each.verdict == "FAIL"]
    assert one.found.startswith("sends and receives at 0.30 of what its peers do, in 10 pairs; 6")


def test_slow_pair_both_ways_is_one_line(tmp_path):
    findings = folder(tmp_path, pairs={("h1", "h5"): 0.3, ("h5", "h1"): 0.3}).findings()
    assert said(findings, *BAD) == [("pair.link.rate", "pair/h1/h5")]


def test_loss_explains_the_rate_that_it_costs(tmp_path):
    pair = ("h1", "h5")
    findings = folder(
        tmp_path, losses={pair: 0.05}, pairs={pair: 0.2}, trips={pair: 100}
    ).findings()
    assert said(findings, "FAIL") == [("pair.loss", "pair/h1/h5")]
    assert said(findings, "BLOCKED") == [("pair.link.rate", "pair/h1/h5")]


def test_cut_host_blocks_the_question_of_its_rate(tmp_path):
    findings = folder(tmp_path, cut={"h2"}).findings()
    assert said(findings, "FAIL") == [("pair.reach", "node/h2")]
    assert said(findings, "BLOCKED") == [("pair.host.rate", "node/h2")]
    assert said(findings, "UNKNOWN", "WARN") == []


def test_two_hosts_alone_are_not_said_to_reach_others(tmp_path):
    findings = folder(tmp_path, made_plan(2), cut={"h1"}).findings()
    (one,) = [each for each in findings if each.verdict == "FAIL"]
    assert one.subject.startswith("pair/h0/h1")
    assert one.found == "h0 to h1 and h1 to h0: nothing gets through"


def test_slower_way_between_two_hosts_alone_is_a_warning_that_blames_no_link(tmp_path):
    findings = folder(tmp_path, made_plan(2), pairs={("h0", "h1"): 0.5}).findings()
    assert said(findings, "FAIL") == []
    (one,) = [each for each in findings if each.check == "pair.link.rate"]
    assert (one.verdict, one.subject) == ("WARN", "pair/h0/h1")
    assert one.found.startswith(
        "h0 to h1 at 0.49 of the other way; two hosts alone do not tell a slow host from a slow "
        "link; 3 repetitions: again so"
    )


def test_loss_smaller_than_the_effect_is_a_warning(tmp_path):
    findings = folder(tmp_path, sends={"h3": 0.85}).findings()
    assert said(findings, *BAD) == [("pair.host.rate", "node/h3")]
    assert said(findings, "WARN") == [("pair.host.rate", "node/h3")]


@pytest.mark.parametrize("sends", [{}, {"h3": 0.3}])
def test_figure_without_proof_of_its_path_is_unknown(tmp_path, sends):
    findings = folder(tmp_path, device="", sends=sends).findings()
    assert said(findings, "FAIL", "WARN") == []
    assert {check for check, _ in said(findings, "UNKNOWN")} == {
        *("pair.class.rate", "pair.host.rate", "pair.link.rate", "pair.path", "pair.settings")
    }


def test_tcp_says_nothing_of_declared_rdma_adapters(tmp_path):
    declared = replace(DECLARED, adapters_per_host=8)
    findings = folder(tmp_path).findings(declared)
    assert ("pair.path", "run/fabric test") in said(findings, "UNKNOWN")
    assert said(findings, "PASS").count(("pair.link.rate", "run/fabric test")) == 0


def test_host_with_another_mtu_is_named(tmp_path):
    findings = folder(tmp_path, mtus={"h4": 1400}).findings()
    assert said(findings, *BAD) == [("pair.settings", "node/h4")]


def test_rate_without_a_declaration_is_unknown(tmp_path):
    findings = folder(tmp_path).findings(Expected())
    assert said(findings, *BAD) == [("pair.class.rate", "run/fabric test/any way")]


def test_all_alike_and_slow_fails_against_the_declaration(tmp_path):
    findings = folder(tmp_path).findings(Expected(port_gbit_per_s=4.0))
    assert said(findings, *BAD) == [("pair.class.rate", "run/fabric test/any way")]
    assert said(findings, "FAIL") == [("pair.class.rate", "run/fabric test/any way")]


@pytest.mark.parametrize(
    ("state", "verdict"), [("ended", "PASS"), ("remaining", "FAIL"), ("unknown", "UNKNOWN")]
)
def test_what_was_left_on_hosts_is_said(tmp_path, state, verdict):
    findings = folder(tmp_path, cleanup=state).findings()
    assert {one.verdict for one in findings if one.check == "pair.cleanup"} == {verdict}


def test_interrupted_test_is_not_whole(tmp_path):
    findings = folder(tmp_path, cut_short=True).findings()
    assert said(findings, *BAD) == [("pair.whole", "run/fabric test")]


def test_missing_output_is_missing_and_never_good(tmp_path):
    made = folder(tmp_path, sends={"h3": 0.3})
    kept = {name: one for name, one in made.kept.items() if one.evidence.host != "h3"}
    text = record_text(made.record)
    last = Kept(evidence=evidence_of(text, command=COMMAND, exit_code=0), output=text)
    made.path = tmp_path / "less"
    evidence_files.write(made.path, pack([*kept.values(), last]))
    findings = made.findings()
    assert ("pair.whole", "run/fabric test") in said(findings, "UNKNOWN")
    assert ("pair.host.rate", "node/h3") in said(findings, "UNKNOWN")


def test_incast_is_judged_by_what_arrives_together(tmp_path):
    made = made_plan(6, Pattern.INCAST)
    shares = {(one.sender, one.receiver): 0.2 for each in made.rounds for one in each}
    findings = folder(tmp_path, made, pairs=shares).findings()
    verdicts = {one.verdict for one in findings if one.check == "pair.congestion"}
    assert verdicts == {"PASS"}
    assert said(findings, "FAIL", "WARN") == []


def test_map_is_drawn_the_same_each_time(tmp_path):
    made = made_plan(8, topology=two_level(2, 4))
    world = {"sends": {"h3": 0.3}, "pairs": {("h1", "h5"): 0.75}, "cut": {"h6"}}
    found = folder(tmp_path, made, **world)
    picture = draw(service.heat_maps(found.path))
    ElementTree.fromstring(picture)
    check_golden("fabric/active/map.svg", picture)


def test_folder_without_a_test_says_so(tmp_path):
    (tmp_path / "lspci.txt").write_text("00:00.0 Host bridge: x\n")
    findings = service.check(tmp_path, None, None, ("pair.whole",))
    assert [(one.verdict, one.found) for one in findings] == [
        ("UNKNOWN", "no output of sunk fabric test")
    ]


def test_words_of_the_cleanup_name_what_is_not_clean():
    hosts = (
        Cleanup(host="a", state="clean"),
        Cleanup(host="b", state="unknown", found="no answer"),
        Cleanup(host="c", state="remaining", found="ib_write_bw"),
    )
    assert cleanup_words(hosts) == (
        "hosts afterwards: 1 clean, 1 where something of ours would not end, 1 that could not be"
        " asked; b: no answer; c: ib_write_bw"
    )


def test_matrix_of_a_collective_is_judged_and_its_path_is_not_known(tmp_path):
    rates = [[None if at == to else 1.0 for to in range(6)] for at in range(6)]
    rates[3] = [None if to == 3 else 0.3 for to in range(6)]
    hosts = [f"n{at}" for at in range(6)]
    pairs = {"size_bytes": 8, "gb_per_s": rates, "wrong_elements": 0}
    record = {"schema": COLLECTIVES, "correct": True, "hosts": hosts, "pairs": pairs}
    (tmp_path / "collectives.json").write_text(json.dumps(record))
    findings = service.check(tmp_path, DECLARED, None, ("pair",))
    assert said(findings, "FAIL", "WARN", "BLOCKED") == []
    (slow,) = [
        one for one in findings if one.subject == "node/n3" and one.check == "pair.host.rate"
    ]
    assert slow.verdict == "UNKNOWN"
    assert slow.found.startswith("sends at 0.30 of what its peers do, in 5 pairs; 0 repetitions")


def test_figures_of_a_program_that_then_failed_are_not_taken():
    sent = json.loads((FOLDER / "pair" / "sent.json").read_text())
    parsed = pair.parse(json.dumps(sent).encode() + b"\n")
    attempt = Attempt(round=1, phase="screen", sender="a", receiver="b", evidence="x")
    (good,) = samples_of([attempt], {"x": (0, parsed)})
    (bad,) = samples_of([attempt], {"x": (137, parsed)})
    assert (good.gone, good.gbit_per_s) == (Gone.NO, sent["gbit_per_s"])
    assert (bad.gone, bad.gbit_per_s) == (Gone.BROKEN, None)


@pytest.mark.parametrize(
    ("format_", "text", "code", "gone"),
    [
        (perftest, b"Couldn't connect to 10.0.0.2:18515\n", 1, Gone.CUT),
        (perftest, b"", 127, Gone.BROKEN),
        (perftest, b"nonsense\n", 0, Gone.BROKEN),
        (iperf3, b'{"error": "error - unable to connect to server"}\n', 1, Gone.CUT),
        (pair, b'{"schema": "sunk.dev/pair/v1", "failed": "connect: refused"}\n', 1, Gone.BROKEN),
        (pair, b'{"schema": "sunk.dev/pair/v1", "failed": "connect: timed out"}\n', 1, Gone.CUT),
        (pair, b"Traceback\n", 1, Gone.BROKEN),
    ],
)
def test_what_a_failure_says_of_the_network_depends_on_the_tool(format_, text, code, gone):
    attempt = Attempt(round=1, phase="screen", sender="a", receiver="b", evidence="x")
    (one,) = samples_of([attempt], {"x": (code, format_.parse(text))})
    assert (one.gone, one.gbit_per_s) == (gone, None)
    assert one.trouble


def test_rdma_names_its_device_and_is_compared_like_the_rest():
    attempt = Attempt(round=1, phase="screen", sender="a", receiver="b", evidence="x")
    parsed = perftest.parse((FOLDER / "perftest" / "write-bw.txt").read_bytes())
    (one,) = samples_of([attempt], {"x": (0, parsed)})
    assert (one.path.device, one.path.link, one.path.mtu_bytes) == ("mlx5_0", "IB", 4096)
    assert one.gbit_per_s == parsed.value.bandwidth[-1].average_gbit_per_s
