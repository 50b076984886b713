from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.training import Layout, Machines, Transformer
from sunk.plan.layout import divisors, plan_layouts
from sunk.plan.layout_cost import memory_gib, micro_batches, ranks_in_domain, step_time

# Llama 3 70B: 80 layers, 8192 wide, 64 heads, 8 of keys and values.
BIG = Transformer(
    layers=80,
    hidden=8192,
    heads=64,
    kv_heads=8,
    ffn_hidden=28672,
    vocabulary=128256,
    sequence=8192,
    global_batch=128,
)
H100 = Machines(
    nodes=8,
    gpus_per_node=8,
    gpu_memory_gib=80,
    gpu_tflop_per_s=989,
    network_gb_per_s=50,
    nvlink_gb_per_s=450,
)
MIXTURE = replace(BIG, layers=32, hidden=4096, heads=32, ffn_hidden=14336, experts=8)
SMALL = Transformer(
    layers=2, hidden=8, heads=2, vocabulary=16, sequence=16, global_batch=8, gated=False
)


def layout(tensor=1, context=1, expert=1, pipeline=1, data=1) -> Layout:
    return Layout(tensor=tensor, context=context, expert=expert, pipeline=pipeline, data=data)


def test_parameters_are_those_of_the_known_model():
    assert BIG.parameters == pytest.approx(70.55e9, rel=1e-3)
    assert BIG.active_parameters == BIG.parameters - 128256 * 8192


def test_memory_is_what_was_added_up_by_hand():
    # Parameters: 2·16·8 + 2·(2·8·16 + 2·8·32) = 256 + 1536 = 1792, of 6 + 12/2 bytes with two
    # copies; activations 2 layers · 16 tokens · 8 wide · 34 bytes.
    assert SMALL.parameters == 1792
    found = memory_gib(SMALL, layout(data=2)) * 2**30
    assert found == pytest.approx(1792 * (6 + 12 / 2) + 2 * 16 * 8 * 34)


def test_stage_keeps_the_activations_of_as_many_micro_batches_as_there_are_stages():
    two = replace(SMALL, vocabulary=1)
    one_stage = memory_gib(two, layout()) * 2**30
    # Half of the layers, twice in flight: the same activations; half of the other memory.
    states = 18 * (two.parameters - 2 * 8) / 2 + 18 * 8
    assert memory_gib(two, layout(pipeline=2)) * 2**30 == pytest.approx(states + 2 * 16 * 8 * 34)
    assert one_stage == pytest.approx(18 * two.parameters + 2 * 16 * 8 * 34)


def test_recomputing_trades_memory_for_time():
    again = replace(BIG, recompute=True)
    spread = layout(tensor=8, pipeline=8)
    assert memory_gib(again, spread) < memory_gib(BIG, spread)
    assert step_time(again, spread, H100).compute > step_time(BIG, spread, H100).compute


def test_compute_is_six_operations_for_each_parameter_and_token_and_attention_on_top():
    machines = replace(H100, nodes=1, gpus_per_node=1, gpu_tflop_per_s=1e-6, compute_efficiency=1)
    operations = 6 * SMALL.active_parameters * 8 * 16 + 6 * 2 * 16**2 * 8 * 8
    assert step_time(SMALL, layout(), machines).compute == pytest.approx(operations / 1e6)


def test_tensor_parallel_time_is_four_all_reduces_of_each_layer():
    # 128 micro-batches · 80 layers · 4 · [2·7/8·2·8192·8192 B] / (450·0.82 GB/s)
    seconds = 128 * 80 * 4 * (2 * 7 / 8 * 2 * 8192 * 8192) / (450e9 * 0.82)
    found = step_time(BIG, layout(tensor=8), replace(H100, nodes=1))
    assert found.tensor == pytest.approx(seconds)


def test_bubble_is_stages_less_one_over_micro_batches():
    found = step_time(BIG, layout(tensor=8, pipeline=8), H100)
    busy = found.compute + found.tensor + found.pipeline
    assert found.bubble / busy == pytest.approx(7 / 128)


def test_stages_hand_on_each_micro_batch_and_its_gradient():
    # 2 · 128 · [2·8192·8192/8 B] / (50·0.8 GB/s); inside one NVLink domain over NVLink.
    wide = layout(tensor=8, pipeline=8)
    found = step_time(BIG, wide, H100).pipeline
    assert found == pytest.approx(2 * 128 * 2 * 8192 * 8192 / 8 / 40e9)
    near = replace(H100, nvlink_domain_gpus=64)
    assert step_time(BIG, wide, near).pipeline == pytest.approx(found * 40 / (450 * 0.82))


def test_sums_of_data_parallel_ranks_are_hidden_by_one_micro_batch_and_no_more():
    spread = layout(data=8)
    one = replace(SMALL, global_batch=8)
    slow = replace(H100, nodes=8, gpus_per_node=1, network_gb_per_s=1e-3)
    found = step_time(one, spread, slow)
    # 7/8 of 4 bytes scattered and 2 gathered for each of 1792 parameters at 0.8 MB/s, and
    # 3 steps of latency each; one micro-batch hides its own computation.
    sums = 7 / 8 * 6 * 1792 / 0.8e6 + 2 * 3 * 14e-6
    assert found.data == pytest.approx(sums - found.compute)
    assert step_time(replace(BIG, recompute=True), layout(tensor=8, data=8), H100).data == 0


def test_rings_of_context_parallel_ranks_are_hidden_by_attention_and_no_more():
    spread = layout(context=4)
    slow = replace(H100, nodes=4, gpus_per_node=1, network_gb_per_s=1e-3)
    found = step_time(SMALL, spread, slow)
    attention = 6 * 2 * 16**2 * 8 * 8 / (4 * 989e12 * 0.5)
    # 8 sequences, 2 layers, 3 times 3 steps of keys and values: 2 · 2 B · 16/4 · 8.
    rings = 8 * 2 * 3 * 3 * 2 * 2 * 16 / 4 * 8 / 0.8e6
    assert found.context == pytest.approx(rings - attention)
    long = replace(BIG, sequence=2**20)
    assert step_time(long, layout(tensor=8, context=8), H100).context == 0


@pytest.mark.parametrize(
    ("ranks", "stride", "domain", "inside"),
    [(8, 1, 8, 8), (8, 8, 8, 1), (4, 2, 8, 4), (8, 2, 8, 4), (6, 1, 4, 3), (1, 64, 8, 1)],
)
def test_ranks_of_a_group_share_domains_evenly(ranks, stride, domain, inside):
    assert ranks_in_domain(ranks, stride, domain) == inside


def test_fastest_layout_of_a_big_model_keeps_its_cuts_inside_the_node():
    best = plan_layouts(BIG, H100).ranked[0]
    assert best.layout.tensor * best.layout.context <= 8
    assert best.memory_gib <= 80
    assert best.layout.pipeline > 1


def test_rules_say_how_many_layouts_they_cost_and_show_one():
    plan = plan_layouts(BIG, H100)
    rejected = {one.rule: one for one in plan.rejected}
    tp = rejected["TP divides the GPUs of an NVLink domain: nothing hides its all-reduces"]
    assert tp.example.startswith("TP16 CP1 EP1 PP1 DP4: 16 and 8 GPUs")
    assert rejected["It fits a GPU's memory"].example.endswith("of 80 GiB")
    assert sum(one.count for one in plan.rejected) + len(plan.ranked) == 84


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"heads": 4, "kv_heads": 3}, "TP divides the attention heads"),
        ({"layers": 3}, "PP divides the layers"),
        ({"sequence": 18}, "2·CP divides the sequence"),
        ({"experts": 3}, "EP divides the experts"),
        ({"global_batch": 6}, "DP times the micro-batch divides the global batch"),
    ],
)
def test_each_rule_leaves_out_what_breaks_it(change, rule):
    plan = plan_layouts(replace(SMALL, **change), replace(H100, nodes=1))
    assert rule in {one.rule for one in plan.rejected}


def test_experts_over_the_network_cost_more_than_inside_a_domain():
    wide = replace(H100, nvlink_domain_gpus=64)
    spread = layout(tensor=1, expert=8, data=64)
    near = replace(H100, nvlink_domain_gpus=4)
    assert step_time(MIXTURE, spread, wide).expert < step_time(MIXTURE, spread, near).expert


def test_oversubscribed_leaves_slow_sums_and_experts_down():
    slow = replace(H100, crossing_factor=4.0, placement_factor=4.0, nvlink_domain_gpus=4)
    fast = replace(slow, crossing_factor=1.0, placement_factor=1.0)
    spread = layout(tensor=1, expert=8, data=64)
    few = replace(MIXTURE, sequence=64)
    for part in ("data", "expert"):
        assert getattr(step_time(few, spread, slow), part) > getattr(
            step_time(few, spread, fast), part
        )


def test_segment_is_as_many_nodes_as_the_close_groups_need():
    wide = replace(H100, gpus_per_node=4, nodes=16, nvlink_domain_gpus=64)
    found = {one.layout: one for one in plan_layouts(MIXTURE, wide).ranked}
    close = {key: one for key, one in found.items() if key.context == 1}
    assert {one.segment_nodes for key, one in close.items() if key.tensor * key.expert == 32} == {8}


def test_reasons_come_with_the_weightiest_first():
    for one in plan_layouts(BIG, H100).ranked:
        shares = [int(share) for text in one.reasons for share in re.findall(r"(\d+)%", text)]
        assert shares == sorted(shares, reverse=True)
        assert one.reasons


@pytest.mark.parametrize(
    ("model", "machines", "said"),
    [
        (replace(BIG, layers=0), H100, "layers of the model is 0"),
        (replace(BIG, heads=63), H100, "hidden 8192 is no multiple of 63 heads"),
        (replace(MIXTURE, experts_per_token=9), H100, "experts_per_token is 9, of 8 experts"),
        (BIG, replace(H100, gpu_memory_gib=0.0), "gpu_memory_gib of the machines is 0.0"),
        (BIG, replace(H100, gpu_tflop_per_s=float("nan")), "gpu_tflop_per_s of the machines"),
    ],
)
def test_numbers_that_cannot_be_are_refused(model, machines, said):
    with pytest.raises(InputError, match=said):
        plan_layouts(model, machines)


counts = st.integers(1, 4)


@given(
    st.builds(
        Transformer,
        layers=counts,
        hidden=st.sampled_from([8, 16]),
        heads=st.sampled_from([1, 2, 4, 8]),
        vocabulary=st.integers(1, 64),
        sequence=st.sampled_from([4, 16, 24]),
        global_batch=st.integers(1, 16),
        micro_batch=st.integers(1, 2),
        experts=st.sampled_from([0, 1, 2, 4]),
        recompute=st.booleans(),
    ),
    st.integers(1, 4),
    st.sampled_from([1, 2, 4]),
)
def test_every_ranked_layout_is_legal_and_every_layout_is_ranked_or_rejected(
    model, nodes, gpus_per_node
):
    machines = replace(H100, nodes=nodes, gpus_per_node=gpus_per_node)
    plan = plan_layouts(model, machines)
    seen = {one.layout for one in plan.ranked}
    assert len(seen) == len(plan.ranked)
    for one in plan.ranked:
        cut = one.layout
        assert cut.tensor * cut.context * cut.pipeline * cut.data == machines.gpus
        assert (cut.data * cut.context) % cut.expert == 0
        assert model.layers % cut.pipeline == model.heads % cut.tensor == 0
        assert micro_batches(model, cut) * model.micro_batch * cut.data == model.global_batch
        assert one.memory_gib <= machines.gpu_memory_gib
        assert one.step.total >= one.step.compute > 0
    totals = [one.step.total for one in plan.ranked]
    assert totals == sorted(totals)


def test_divisors_of_a_number_are_all_of_them():
    assert divisors(36) == (1, 2, 3, 4, 6, 9, 12, 18, 36)
    assert divisors(1) == (1,)
