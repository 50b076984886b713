"""People out of what a directory exports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.cluster import SlurmCluster, User
from sunk.render.accounts import render_passwd
from sunk.render.passwd import read_passwd
from tests.support.render import clusters, for_all

EXPORT = """\
root:x:0:0:root:/root:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
slurm:x:64030:64030::/nonexistent:/usr/sbin/nologin

# people
carol:x:2003:3000:Carol,,,:/nfs/home/carol:/bin/zsh
bob:x:2002:2002::/home/bob:
"""


def read(text: str) -> tuple[User, ...]:
    return read_passwd(text, account="physics", source="ConfigMap people")


def test_people_are_read_and_users_of_the_system_are_left_out():
    assert read(EXPORT) == (
        User(name="bob", uid=2002, gid=2002, account="physics"),
        User(name="carol", uid=2003, gid=3000, account="physics", shell="/bin/zsh"),
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bob:x:2002", "line 1: 'bob:x:2002' is not in the form of passwd(5)"),
        ("bob:x:abc:2002::/home/bob:/bin/sh", "not in the form"),
        ("bob:x:2002:2002::/home/bob:/bin/sh:more", "not in the form"),
        ("bob:x:2002:2002:::\nbob:x:2003:2003:::", "bob stands there twice"),
    ],
)
def test_text_in_another_form_is_named_and_nothing_is_guessed(line, words):
    with pytest.raises(InputError) as caught:
        read(line)
    assert words in caught.value.message


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        found = read(text)
    except InputError:
        return
    assert all(isinstance(one, User) for one in found)


@for_all(clusters(), examples=25)
def test_what_we_write_for_the_daemons_reads_back(cluster: SlurmCluster) -> None:
    again = read_passwd(render_passwd(cluster), account="a", source="x")
    assert {(one.name, one.uid, one.group_id, one.shell) for one in again} == {
        (one.name, one.uid, one.group_id, one.shell) for one in cluster.users
    }
