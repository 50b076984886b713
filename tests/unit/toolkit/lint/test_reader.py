"""Commands are found wherever a shell would run them, with their words and their places."""

from __future__ import annotations

import pytest

from sunk.toolkit.lint.reader import read_script
from sunk.toolkit.lint.script import Script

HEAD = "#!/bin/bash\n"


def script(text: str) -> Script:
    return read_script((HEAD + text).encode())


def commands(text: str) -> list[list[str]]:
    return [[word.text for word in one.words] for one in script(text).commands]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("srun \\\n  --label \\\n  hostname\n", ["srun", "--label", "hostname"]),
        ('srun \'two words\' "and \\"more\\""\n', ["srun", "two words", 'and "more"']),
        ("srun $'tab\\there'\n", ["srun", "tab\there"]),
        ('A=1\nsrun x$A"$A" ${A}\n', ["srun", "x11", "1"]),
        ("A='-n 2'\nsrun $A x\n", ["srun", "-n", "2", "x"]),
        ("A='-n 2'\nsrun \"$A\" x\n", ["srun", "-n 2", "x"]),
        ("A=1\nA=2\nsrun $A\n", ["srun", "$A"]),
        ("A=1\nA+=2\nsrun $A\n", ["srun", "12"]),
        ("A=(-n '2 3')\nA+=(x)\nsrun \"${A[@]}\"\n", ["srun", "-n", "2 3", "x"]),
        ("for A in 1 2; do :; done\nsrun $A\n", ["srun", "$A"]),
        ("A=1\nread -r A\nsrun $A\n", ["srun", "$A"]),
        ("A=$B\nB=$A\nsrun $A\n", ["srun", "$B"]),
        (
            "srun ${A:-2} ${#A} $((1 + 2)) $(id -u)\n",
            ["srun", "${A:-2}", "${#A}", "$((1 + 2))", "$(id -u)"],
        ),
    ],
)
def test_words_of_a_command(text, wanted):
    assert wanted in commands(text)


@pytest.mark.parametrize(
    "text",
    [
        "work\n",
        "if true; then work; fi\n",
        "f() { work; }\n",
        "( work ) &\n",
        "echo $(work)\n",
        "echo `work`\n",
        "cat <(work)\n",
        "true || work\n",
        "case x in x) work ;; esac\n",
        "bash -c 'work'\n",
        'bash -lc "work"\n',
        "eval 'wo''rk'\n",
        'W=work\nsh -c "$W"\n',
        "bash <<END\nwork\nEND\n",
        "bash <<'END'\nwork\nEND\n",
        "cat <<END | bash\nwork\nEND\n",
        "srun -N1 -n 2 --label work\n",
        "srun --mpi pmix env A=1 nice -n 5 work\n",
        "mpirun -np 4 --mca btl tcp -x A=1 work\n",
        "timeout -k 5 60 work\n",
        "time work\n",
        "exec work\n",
        "apptainer exec --nv --bind /a:/a image.sif work\n",
        "numactl -m 0 work\n",
        "srun bash -c 'cd /x && exec bash -c \"work\"'\n",
    ],
)
def test_command_is_found(text):
    assert ["work"] in commands(text)


@pytest.mark.parametrize(
    "text",
    [
        "# work\n",
        "echo 'work'\n",
        "cat <<END > file\nwork\nEND\n",
        "python <<END\nwork\nEND\n",
        "echo bash -c work\n",
        ': "$A work"\n',
    ],
)
def test_text_that_is_no_command_is_none(text):
    assert ["work"] not in commands(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("work\n", (2, 1)),
        ("  é; work\n", (2, 6)),
        ("srun \\\n  work\n", (3, 3)),
        ("bash -c '\n work'\n", (3, 2)),
        ("bash -c 'é; work'\n", (2, 13)),
        ("bash <<END\n\nwork\nEND\n", (4, 1)),
        ("W='a\nwork'\nbash -c \"$W\"\n", (4, 10)),
    ],
)
def test_command_is_where_it_stands(text, place):
    (one,) = [one for one in script(text).commands if one.name == "work"]
    assert (one.line, one.column) == place


@pytest.mark.parametrize(
    ("text", "background"),
    [
        ("work &\n", True),
        ("( work; true ) &\n", True),
        ("{ work; } | tee log &\n", True),
        ("f() { work; }\nf &\n", True),
        ("f() { work; }\ng() { f; }\ng &\n", True),
        ("work; true &\n", False),
        ("f() { work; }\nf; true &\n", False),
        ("work && true\n", False),
    ],
)
def test_background(text, background):
    read = script(text)
    (one,) = [one for one in read.commands if one.name == "work"]
    assert read.in_background(one) is background


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A=1\n", ("A", "1")),
        ("export A=1\n", ("A", "1")),
        ("declare -x A=1\n", ("A", "1")),
        ("A=1 work\n", ("A", "1")),
        ("env A=1 work\n", ("A", "1")),
        ("mpirun -x A=1 work\n", ("A", "1")),
        ("mpirun -genv A 1 work\n", ("A", "1")),
        ("srun --export=ALL,A=1 work\n", ("A", "1")),
        ("#SBATCH --export=ALL,A=1\n", ("A", "1")),
        ("apptainer exec --env A=1 i.sif work\n", ("A", "1")),
        ("apptainer exec --env=A=1 i.sif work\n", ("A", "1")),
        ("srun bash -c 'export A=1; work'\n", ("A", "1")),
        ('B=1\nexport A="$B"\n', ("A", "1")),
    ],
)
def test_setting_of_a_variable_is_found(text, wanted):
    assert wanted in [(one.name, one.word.text) for one in script(text).settings]


@pytest.mark.parametrize("text", ["echo A=1\n", "# A=1\n", "work --env A=1\n", "[[ A=1 ]]\n"])
def test_text_that_sets_nothing_is_no_setting(text):
    assert script(text).settings == []


def test_body_of_another_interpreter_is_not_read_as_shell():
    read = read_script(b"#!/usr/bin/env python3\n#SBATCH -N2\nwork\n")
    assert (read.interpreter, read.is_shell, read.commands) == ("python3", False, [])
    assert read.directives.value("nodes") == "2"


def test_variables_that_double_at_each_step_stay_unknown():
    text = "A0=x\n" + "".join(f"A{n + 1}=$A{n}$A{n}\n" for n in range(60)) + "work $A60\n"
    (words,) = [one for one in commands(text) if one[0] == "work"]
    assert sum(map(len, words)) < 100_000
