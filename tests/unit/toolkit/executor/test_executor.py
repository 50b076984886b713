"""`sunk.Executor` on processes of this machine and in this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sunk import Executor
from sunk.errors import InputError, JobEnded, SunkError


@pytest.fixture(params=["local", "debug"])
def executor(request, tmp_path):
    return Executor(request.param, folder=tmp_path)


def divide(dividend, divisor=1):
    print("dividing")
    return dividend / divisor


def test_result_is_what_the_function_returned(executor):
    assert executor.submit(divide, 6, divisor=3).result(60) == 2


def test_lambdas_and_what_they_enclose_travel(executor):
    factor = 7
    assert executor.submit(lambda value: value * factor, 6).result(60) == 42


def test_exception_is_the_one_that_was_raised_with_its_traceback(executor):
    future = executor.submit(divide, 1, 0)
    found = future.exception(60)
    assert type(found) is ZeroDivisionError
    assert "return dividend / divisor" in str(found.__cause__)
    with pytest.raises(ZeroDivisionError):
        future.result()
    assert (future.done(), future.cancelled(), future.state) == (True, False, "FAILED")


def test_exception_that_cannot_be_pickled_keeps_its_words(executor):
    def raises():
        class OddError(Exception):
            def __reduce__(self):
                raise TypeError("no")

        raise OddError("very odd")

    with pytest.raises(SunkError, match="OddError: very odd"):
        executor.submit(raises).result(60)


def test_result_that_cannot_be_pickled_is_an_error_that_says_so(executor):
    with pytest.raises(SunkError, match="cannot pickle"):
        executor.submit(lambda: (one for one in "ab")).result(60)


def test_exit_in_a_function_is_its_exception(executor):
    assert executor.submit(sys.exit, 3).exception(60).code == 3


def test_array_gives_a_result_for_each_set_of_arguments_in_their_order(executor):
    futures = executor.map_array(divide, [2, 4, 6], [1, 2, 2])
    assert [one.result(60) for one in futures] == [2, 2, 3]
    assert len({one.job_id for one in futures}) == 3
    assert len({one.folder for one in futures}) == 1


def test_all_futures_come_out_as_completed_once(executor):
    futures = executor.map_array(divide, [2, 4, 0], [1, 2, 0])
    ended = list(executor.as_completed([*futures, futures[0]], 60))
    assert sorted(one.job_id for one in ended) == sorted(one.job_id for one in futures)


def test_array_of_nothing_is_nothing(executor):
    assert executor.map_array(divide, []) == []


def test_arguments_of_different_lengths_are_refused(executor):
    with pytest.raises(InputError, match="map divide: the arguments are not of one length"):
        executor.map_array(divide, [1, 2], [1])


def test_function_that_cannot_be_pickled_is_refused_and_leaves_no_folder(executor, tmp_path):
    lines = (one for one in "ab")
    with pytest.raises(InputError, match=r"pickle function .*: TypeError: cannot pickle"):
        executor.submit(lambda: lines)
    assert list(tmp_path.iterdir()) == []


def test_what_a_call_prints_is_in_its_log(tmp_path):
    future = Executor("local", folder=tmp_path).submit(divide, 1)
    future.result(60)
    assert future.stdout.read_text() == "dividing\n"


def test_process_that_dies_is_an_end_without_a_result(tmp_path):
    def die():
        import os

        print("farewell", flush=True)
        os.kill(os.getpid(), 9)

    with pytest.raises(JobEnded, match="exit code -9; last words: farewell") as caught:
        Executor("local", folder=tmp_path).submit(die).result(60)
    assert (caught.value.state, caught.value.exit_code) == ("FAILED", -9)


def test_calls_that_wait_and_calls_that_run_can_be_cancelled(tmp_path):
    started, gate = tmp_path / "started", tmp_path / "gate"

    def wait():
        import time
        from pathlib import Path

        Path(started).touch()
        while not Path(gate).exists():
            time.sleep(0.01)

    first, second, third = Executor("local", folder=tmp_path, at_once=1).map_array(
        lambda _: wait(), range(3)
    )
    with pytest.raises(TimeoutError, match="it has not ended"):
        first.result(0.05)
    assert third.state == "PENDING"
    assert third.cancel()
    assert first.cancel()
    assert (first.cancelled(), third.cancelled()) == (True, True)
    with pytest.raises(JobEnded) as caught:
        first.result()
    assert caught.value.state == "CANCELLED"
    gate.touch()
    assert second.result(60) is None
    assert second.cancel() is False


def test_waiting_for_too_long_ends_nothing(tmp_path):
    gate = tmp_path / "gate"

    def wait():
        import time
        from pathlib import Path

        while not Path(gate).exists():
            time.sleep(0.01)
        return 5

    executor = Executor("local", folder=tmp_path)
    future = executor.submit(wait)
    with pytest.raises(TimeoutError):
        list(executor.as_completed([future], 0.05))
    gate.touch()
    assert future.result(60) == 5


def test_another_version_of_python_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("sunk.toolkit.executor.executor.version", lambda: "3.1")
    with pytest.raises(SunkError, match=r"pickled by Python 3\.1, not"):
        Executor("local", folder=tmp_path).submit(divide, 1).result(60)


def test_modules_beside_the_program_are_found(tmp_path, monkeypatch):
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "helper_of_mine.py").write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(str(tmp_path / "beside"))
    import helper_of_mine

    executor = Executor("local", folder=tmp_path / "runs")
    assert executor.submit(helper_of_mine.double, 4).result(60) == 8


def test_unknown_back_ends_and_parameters_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no back end 'cloud'"):
        Executor("cloud", folder=tmp_path)
    with pytest.raises(InputError, match="nodes"):
        Executor("debug", folder=tmp_path, nodes=2)


def test_importing_sunk_loads_nothing_of_the_executor():
    program = "import sys, sunk; print('cloudpickle' in sys.modules, 'pydantic' in sys.modules)"
    words = [sys.executable, "-c", program]
    root = Path(__file__).parents[4]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "False False\n"


@pytest.mark.parametrize("name", ["time_limitt", "calls", "array"])
def test_name_that_is_no_parameter_is_answered_with_those_that_python_takes(tmp_path, name):
    with pytest.raises(InputError) as raised:
        Executor("debug", folder=tmp_path, **{name: 3})
    assert raised.value.message == f"make executor: {name}: no such parameter"
    assert raised.value.hint == (
        "parameters: account, at_once, cpus_per_task, dependency, environment, exclusive, "
        "fallback_python, gpus_per_node, memory_per_node, name, nodes, partition, python, "
        "qos, requeue, tasks_per_node, time_limit"
    )
