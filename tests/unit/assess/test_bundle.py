from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.assess.bundle import MANIFEST, Kept, Opened, pack, unpack
from sunk.assess.evidence import evidence_of
from sunk.errors import InputError


def kept(output: bytes, errors: bytes = b"", host: str = "gpu001") -> Kept:
    evidence = evidence_of(
        output,
        command=("ibstat",),
        host=host,
        at="2026-11-21T07:04:15Z",
        exit_code=0,
        errors=errors,
    )
    return Kept(evidence=evidence, output=output, errors=errors)


KEPT = st.builds(kept, st.binary(max_size=40), st.binary(max_size=5), st.text(max_size=5))


@given(st.lists(KEPT, unique_by=lambda one: one.evidence.id, max_size=6))
def test_what_is_packed_is_read_back_whole(many):
    whole = tuple(sorted(many, key=lambda one: one.evidence.id))
    assert unpack(pack(many)) == Opened(kept=whole, faults=())
    assert pack(reversed(many)) == pack(many)


@given(st.lists(KEPT, unique_by=lambda one: one.evidence.id, min_size=1, max_size=3), st.data())
def test_a_changed_byte_anywhere_is_never_taken_for_the_original(many, data):
    files = pack(many)
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name] or b"\0")
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        opened = unpack({**files, name: bytes(content)})
    except InputError:
        return
    # White space of the manifest is no content; anything else is named.
    assert opened.faults or set(opened.kept) == set(unpack(files).kept)
    assert set(opened.kept) <= set(unpack(files).kept)


def test_manifest_names_command_host_time_and_digest():
    files = pack([kept(b"x", b"warned")])
    (row,) = json.loads(files[MANIFEST])["evidence"]
    assert row == {
        "id": row["id"],
        "command": ["ibstat"],
        "host": "gpu001",
        "at": "2026-11-21T07:04:15Z",
        "exit_code": 0,
        "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
        "size_bytes": 1,
        "name": "",
        "until": "",
        "over": "",
        "redactions": 0,
        "incomplete": "",
        "errors_sha256": kept(b"x", b"warned").evidence.errors_sha256,
    }
    assert sorted(files) == [MANIFEST, f"raw/{row['id']}.err", f"raw/{row['id']}.out"]


def test_missing_and_unlisted_files_are_named():
    files = pack([kept(b"x")])
    (path,) = set(files) - {MANIFEST}
    opened = unpack({MANIFEST: files[MANIFEST], "raw/../evil": b""})
    assert opened == Opened(
        kept=(), faults=("'raw/../evil' is not in the manifest", f"{path} is missing")
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no manifest.json"),
        (b"{", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b'{"version": 99, "evidence": []}', "it is not of version 1"),
        (b'{"version": 1}', "it has no list of evidence"),
    ],
)
def test_folder_without_a_manifest_of_this_version_is_refused(content, message):
    with pytest.raises(InputError, match=message):
        unpack({} if content is None else {MANIFEST: content})


@pytest.mark.parametrize(
    "row",
    [
        7,
        {},
        {"host": 1},
        {"size_bytes": True},
        {"exit_code": "0"},
        {"command": "ibstat"},
        {"command": [1]},
        {"host": "\ud800"},
        {"host": "other"},
    ],
    ids=repr,
)
def test_entry_of_another_form_is_named_and_left_out(row):
    files = pack([kept(b"x")])
    manifest = json.loads(files[MANIFEST])
    (entry,) = manifest["evidence"]
    manifest["evidence"] = [{**entry, **row} if isinstance(row, dict) and row else row]
    opened = unpack({**files, MANIFEST: json.dumps(manifest).encode()})
    assert opened.kept == ()
    assert [one for one in opened.faults if one.startswith("manifest.json")]


def test_two_evidences_with_one_id_are_refused():
    with pytest.raises(InputError, match="it is there already"):
        pack([kept(b"x"), kept(b"x")])
