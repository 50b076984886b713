"""What a real shell does with our lines: any command and any bytes come through as they are."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunk.clients.conversation import Conversation as LocalShell
from sunk_fabric.collect.conversation import Conversation, Limits
from sunk_fabric.collect.questions import Question
from sunk_fabric.collect.script import Framed, ask, hello
from tests.support.examples import examples

LIMIT = 4096
# A program's argument has no zero byte, and is bytes that the file system's encoding can say.
WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)
MARK = "0123456789abcdef" * 2


def question(*argv: str, seconds: float = 20.0, program: str = "") -> Question:
    return Question(name="x", argv=argv, within_seconds=seconds, program=program)


@pytest.fixture(scope="module")
def talk():
    made = Conversation(
        "here", lambda: LocalShell(("/bin/sh",)), Limits(start_seconds=20, output_bytes=LIMIT)
    )
    yield made
    made.close()


@given(words=st.lists(WORD, min_size=1, max_size=4))
@settings(max_examples=examples(12))
def test_words_reach_the_program_as_they_are(talk, words):
    taken = talk.ask(question("printf", "%s\\n", *words))
    assert taken.output == "".join(f"{one}\n" for one in words).encode()
    assert (taken.errors, taken.exit_code, taken.incomplete) == (b"", 0, "")


@given(text=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1))
@settings(max_examples=examples(10))
def test_a_program_is_read_from_standard_input_as_it_is(talk, text):
    taken = talk.ask(question("cat", program=text))
    assert taken.output == text.encode()


@given(out=st.binary(max_size=60), err=st.binary(max_size=60), code=st.integers(0, 123))
@settings(max_examples=examples(10))
def test_any_bytes_come_back_on_their_own_stream(talk, out, err, code):
    def printed(content: bytes) -> str:
        return "printf '" + "".join(f"\\{byte:03o}" for byte in content) + "'"

    taken = talk.ask(question("sh", "-c", f"{printed(out)}; {printed(err)} >&2; exit {code}"))
    assert (taken.output, taken.errors, taken.exit_code) == (out, err, code)


def test_a_command_that_is_not_there_is_an_answer(talk):
    taken = talk.ask(question("no-such-program-anywhere"))
    assert (taken.exit_code, taken.incomplete) == (127, "")


def test_a_command_that_does_not_end_costs_its_time_and_the_next_is_answered(talk):
    taken = talk.ask(question("sh", "-c", "echo begun; sleep 100", seconds=0.3))
    assert (taken.output, taken.exit_code) == (b"begun\n", 124)
    assert taken.incomplete == "no end after 0.3 s"
    assert talk.ask(question("echo", "on")).output == b"on\n"


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_flood_is_cut_and_said_to_be_cut(talk, stream):
    taken = talk.ask(question("sh", "-c", f"while :; do echo flood; done >&{stream}"))
    assert taken.incomplete == f"cut at {LIMIT} bytes"
    whole = (b"flood\n" * LIMIT)[:LIMIT]
    assert (taken.output, taken.errors) == ((whole, b"") if stream == "1" else (b"", whole))


def test_a_command_gets_no_input_and_none_of_our_descriptors(talk):
    # 3 is the folder that `ls` reads.
    taken = talk.ask(question("sh", "-c", "cat; ls /proc/self/fd"))
    assert (taken.output, taken.exit_code) == (b"0\n1\n2\n3\n", 0)


def test_administrators_programs_are_found_and_languages_are_off(talk):
    taken = talk.ask(question("sh", "-c", 'echo "$PATH"; echo "$LC_ALL"'))
    path, language = taken.output.decode().splitlines()
    assert path.split(":")[-3:] == ["/usr/local/sbin", "/usr/sbin", "/sbin"]
    assert language == "C"


def test_the_host_tells_its_name_and_clock(talk):
    assert talk.called == os.uname().nodename
    assert abs(talk.clock_seconds) <= 2


def test_a_shell_that_echoes_does_not_say_the_mark():
    assert MARK.encode() not in hello(MARK) + ask(question("true"), 10)


@given(
    st.lists(
        st.tuples(st.binary(max_size=20), st.binary(max_size=20), st.integers(0, 255)), max_size=4
    ),
    st.integers(1, 7),
)
def test_frames_are_found_wherever_the_stream_was_cut(frames, size):
    mark = MARK.encode()
    out = b"".join(o + b"\n" + mark + f" {code}\n".encode() for o, _, code in frames)
    err = b"".join(e + b"\n" + mark + b"\n" for _, e, _ in frames)
    framed, found = Framed(mark, 1000), []
    for at in range(0, max(len(out), len(err), 1), size):
        framed.feed(out[at : at + size], err[at : at + size])
        while (one := framed.take()) is not None:
            found.append(one)
    assert found == [(o, e, str(code)) for o, e, code in frames]
    assert framed.take() is None
