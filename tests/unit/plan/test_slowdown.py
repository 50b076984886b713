from __future__ import annotations

import pytest

from sunk.plan.slowdown import Slowdown, slowdown
from sunk.render.topology import read_topology
from tests.support.topologies import EVERYTHING, leaves

# Leaves of four nodes on two rails of 400 Gbit/s, uplinks of half of that.
ALPHA = read_topology(EVERYTHING, source="t")


def test_depth_first_order_is_not_slowed_down_while_a_flow_fits_the_uplink():
    order = [f"w-{at}" for at in range(8)]
    found = slowdown(ALPHA, order)
    assert found.crossing == 1.0
    # 4 of 8 nodes are elsewhere, where 7 would be of other nodes: 2.0 * 4/7.
    assert found.placement == pytest.approx(8 / 7)


def test_order_that_leaves_the_leaf_at_every_step_pays_the_whole_oversubscription():
    order = [f"w-{at // 2 + 4 * (at % 2)}" for at in range(8)]
    assert slowdown(ALPHA, order).crossing == 2.0


def test_unknown_nodes_and_unknown_rates_slow_nothing_down():
    assert slowdown(leaves(2, 2), ["w-0", "w-2", "x"]) == Slowdown(crossing=1.0, placement=1.0)
