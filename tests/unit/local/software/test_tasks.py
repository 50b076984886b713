"""The task graph: order, lanes, the first error, and asking the others to end."""

import threading

import pytest

from sunk.errors import EnvironmentFault
from sunk.local.software import tasks
from sunk.local.software.tasks import Stop, Stopped, Task, run_tasks
from sunk.progress import Silent


class Recorder(Silent):
    """Remembers begins and ends."""

    def __init__(self):
        self.events = []
        self._lock = threading.Lock()

    def begin(self, step):
        with self._lock:
            self.events.append(("begin", step))

    def end(self, step, outcome):
        with self._lock:
            self.events.append(("end", step))

    def fail(self, step, error):
        with self._lock:
            self.events.append(("fail", step))


def constant(value):
    return lambda _step, _results: value


def test_a_task_gets_the_results_it_waits_for_and_no_others():
    seen = {}

    def work(_step, results):
        seen.update(results)
        return sum(results.values())

    graph = (
        Task(name="one", work=constant(1)),
        Task(name="two", work=constant(2)),
        Task(name="other", work=constant(9)),
        Task(name="sum", work=work, after=("one", "two")),
    )
    assert run_tasks(graph, Silent(), Stop(), threads=2)["sum"] == 3
    assert seen == {"one": 1, "two": 2}


def test_independent_tasks_overlap():
    meeting = threading.Barrier(2)

    def work(_step, _results):
        meeting.wait(30)  # passes only when both are there

    graph = (Task(name="a", work=work), Task(name="b", work=work))
    run_tasks(graph, Silent(), Stop(), threads=2)


def test_tasks_of_one_lane_never_overlap():
    recorder = Recorder()
    graph = tuple(Task(name=name, work=constant(None), lane="go") for name in "abcd")
    run_tasks(graph, recorder, Stop(), threads=4)
    assert recorder.events == [(what, name) for name in "abcd" for what in ("begin", "end")]


def test_of_a_lane_only_the_first_waiting_task_is_ready_and_none_while_one_runs():
    one, two, free = (
        Task(name="one", work=constant(1), lane="go"),
        Task(name="two", work=constant(2), lane="go"),
        Task(name="free", work=constant(3)),
    )
    assert tasks._ready([one, two, free], {}, [], 3) == [one, free]
    assert tasks._ready([two, free], {}, [one], 3) == [free]
    assert tasks._ready([two, free], {}, [], 1) == [two]


def test_an_interrupt_from_the_keyboard_stops_running_tasks(monkeypatch):
    running, stop, recorder = threading.Event(), Stop(), Recorder()

    def long_work(_step, _results):
        running.set()
        while True:
            stop.check()

    def interrupted(*_args, **_kwargs):
        assert running.wait(30)
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_tasks((Task(name="long", work=long_work),), recorder, stop, threads=1)
    assert recorder.events == [("begin", "long"), ("fail", "long")]


def test_the_first_error_stops_running_tasks_and_starts_no_more():
    running = threading.Event()
    stop = Stop()
    recorder = Recorder()

    def long_work(_step, _results):
        running.set()
        while True:
            stop.check()

    def broken(_step, _results):
        assert running.wait(30)
        raise EnvironmentFault("find Go: none")

    graph = (
        Task(name="long", work=long_work),
        Task(name="broken", work=broken),
        Task(name="later", work=constant(None), after=("broken",)),
    )
    with pytest.raises(EnvironmentFault, match="find Go: none"):
        run_tasks(graph, recorder, stop, threads=2)
    assert sorted(recorder.events) == [
        ("begin", "broken"),
        ("begin", "long"),
        ("fail", "broken"),
        ("fail", "long"),
    ]


def test_a_stopped_task_says_that_another_one_failed():
    stop = Stop()
    stop.set()
    with pytest.raises(Stopped, match="another step failed"):
        stop.check()


def test_a_task_that_waits_for_an_unknown_one_is_a_bug():
    with pytest.raises(ValueError, match="waits for a later one"):
        run_tasks((Task(name="a", work=constant(1), after=("b",)),), Silent(), Stop(), threads=1)
