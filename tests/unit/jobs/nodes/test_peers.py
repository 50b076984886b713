from __future__ import annotations

from sunk_jobs.nodes.peers import Comparison, Odd, compare


def test_nodes_that_are_alike_have_no_odd_ones():
    assert compare({"a": "1", "b": "1"}) == Comparison(usual="1", share=1.0, odd=())


def test_odd_ones_are_by_value_with_their_nodes():
    found = compare({"a": "1", "b": "9", "c": "1", "d": "5", "e": "1", "f": "9"})
    assert found == Comparison(usual="1", share=0.5, odd=(Odd("5", ("d",)), Odd("9", ("b", "f"))))


def test_of_equally_many_the_first_node_has_the_usual_value():
    assert compare({"b": "z", "a": "y"}) == Comparison("z", 0.5, (Odd("y", ("a",)),))


def test_without_a_node_that_knows_there_is_nothing_to_compare():
    assert compare({}) is None
