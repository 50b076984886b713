"""The machine's Debian packages and mirrors, and the archive that images are made from."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import EnvironmentFault, InputError
from sunk.local.software import debian, debrepo
from sunk.local.software.debian import (
    MachinePackage,
    Mirrors,
    find_mirrors,
    missing_packages,
    read_machine_packages,
    read_mirrors,
    read_packages,
)
from sunk.resources import data_folder

DEPLOY = data_folder("deploy")


def nothing() -> None:
    pass


def test_a_package_list_is_the_first_words_without_comments():
    text = "# title\n\nslurmd   # node daemon\n  tini\n#ghost\n"
    assert read_packages(text) == ("slurmd", "tini")


@given(
    st.lists(st.tuples(st.from_regex(r"[a-z][a-z0-9+.-]{1,8}", fullmatch=True), st.text("# ab\t")))
)
def test_any_commented_list_of_packages_is_read_back(rows):
    text = "".join(f"{name} #{comment}\n" for name, comment in rows)
    assert read_packages(text) == tuple(name for name, _ in rows)


def test_a_row_of_the_machine_list_without_a_sign_is_refused():
    with pytest.raises(InputError, match="not two columns: 'containerd'"):
        read_machine_packages("containerd  # why\n")


def test_packages_are_missing_when_neither_program_nor_file_is_there(tmp_path):
    (tmp_path / "here").write_text("")
    (tmp_path / "here").chmod(0o755)
    wanted = (
        MachinePackage(name="by-program", sign="here"),
        MachinePackage(name="by-file", sign=str(tmp_path / "here")),
        MachinePackage(name="no-program", sign="gone"),
        MachinePackage(name="no-file", sign=str(tmp_path / "gone")),
    )
    assert missing_packages(wanted, str(tmp_path)) == ("no-program", "no-file")


def test_the_shipped_machine_list_is_sorted_and_complete():
    names = [
        package.name
        for package in read_machine_packages((DEPLOY / "local/packages.txt").read_text())
    ]
    assert names == sorted(names)
    assert {"containerd", "etcd-server", "mmdebstrap", "nftables", "runc"} <= set(names)


TARGETS = """\
Debian|http://mirror.test/debian/|bookworm
Debian|http://mirror.test/debian/|bookworm-updates
|http://other.test/tools/|stable
Debian-Security|http://mirror.test/security/|bookworm-security
"""


def test_mirrors_are_told_apart_by_the_archives_own_labels():
    assert read_mirrors(TARGETS) == Mirrors(
        debian="http://mirror.test/debian", security="http://mirror.test/security"
    )


@pytest.mark.parametrize("lost", ["Debian|", "Debian-Security|"])
def test_a_machine_without_one_of_the_archives_gives_no_mirrors(lost):
    text = "".join(line for line in TARGETS.splitlines(True) if not line.startswith(lost))
    assert read_mirrors(text) is None


def test_given_mirrors_are_used_without_asking_apt(monkeypatch, tmp_path):
    monkeypatch.setattr(debian, "_ask_apt", lambda: pytest.fail("asked"))
    found = find_mirrors("http://a/debian/", "http://a/sec", tmp_path, say=print, hook=nothing)
    assert found == Mirrors(debian="http://a/debian", security="http://a/sec")


def test_one_given_mirror_overrides_only_itself(monkeypatch, tmp_path):
    monkeypatch.setattr(debian, "_ask_apt", lambda: read_mirrors(TARGETS))
    found = find_mirrors("http://a/debian", None, tmp_path, say=print, hook=nothing)
    assert found == Mirrors(debian="http://a/debian", security="http://mirror.test/security")


def test_no_mirror_after_renewing_the_lists_is_an_error_that_says_what_to_set(
    monkeypatch, tmp_path
):
    renewed = []
    monkeypatch.setattr(debian, "_ask_apt", lambda: None)
    monkeypatch.setattr(debian, "_apt", lambda words, _log, _hook: renewed.append(words))
    with pytest.raises(EnvironmentFault, match="find a Debian mirror"):
        find_mirrors(None, None, tmp_path, say=print, hook=nothing)
    assert renewed == [("update",)]


def test_sources_verify_with_the_debian_keyring_and_read_package_lists_only():
    text = debrepo.sources_text(Mirrors(debian="http://m/d", security="http://m/s"))
    assert text == (
        "Types: deb\nURIs: http://m/d\nSuites: trixie\nComponents: main\nTargets: Packages\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        "\n"
        "Types: deb\nURIs: http://m/s\nSuites: trixie-security\nComponents: main\n"
        "Targets: Packages\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )


def test_the_isolated_apt_reads_and_writes_no_state_of_the_machine():
    options = debrepo.apt_options(Path("/work"), "amd64")
    settings = dict(word.split("=", 1) for word in options if word != "-o")
    paths = {name: value for name, value in settings.items() if name.startswith("Dir::") and value}
    assert all(value == "/dev/null" or value.startswith("/work/") for value in paths.values())
    assert {"Dir::State::status", "Dir::State::lists", "Dir::Cache::archives"} <= set(paths)


def test_the_archive_key_ignores_order_and_sees_names_and_architecture():
    key = debrepo.archive_key(("a", "b"), "amd64")
    assert debrepo.archive_key(("b", "a"), "amd64") == key
    assert debrepo.archive_key(("a", "b"), "arm64") != key
    assert debrepo.archive_key(("a", "c"), "amd64") != key


def test_a_policy_of_the_machine_is_hidden_from_the_installation_and_stays(monkeypatch, tmp_path):
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(debian, "POLICY", policy)
    policy.write_text("#!/bin/sh\nexit 0\n")
    with debian._no_services(tmp_path / "logs") as before:
        assert before[:2] == ("unshare", "--mount")
        assert before[-2:] == (f"{tmp_path}/logs/policy-rc.d", str(policy))
        assert (tmp_path / "logs/policy-rc.d").read_text().endswith("exit 101\n")
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_without_a_policy_ours_is_there_for_the_installation_only(monkeypatch, tmp_path):
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(debian, "POLICY", policy)
    for _ in range(2):
        with pytest.raises(RuntimeError), debian._no_services(tmp_path) as before:
            assert before == ()
            assert policy.read_text().endswith("exit 101\n")
            assert policy.stat().st_mode & 0o111
            raise RuntimeError
        assert not policy.exists()
        policy.write_text(debian._POLICY_TEXT)  # as a killed run leaves it


def test_the_machine_is_asked_again_with_fresh_lists_when_an_installation_fails(
    monkeypatch, tmp_path
):
    calls = []

    def apt(words, _log, _hook, _before=()):
        calls.append(words)
        if len(calls) == 1:
            raise debian.CommandError("run apt-get: exit status 100")

    monkeypatch.setattr(debian, "POLICY", tmp_path / "policy")
    monkeypatch.setattr(debian, "_apt", apt)
    monkeypatch.setattr(debian.shutil, "which", lambda _name: "/usr/bin/apt-get")
    debian.install_packages(("runc",), tmp_path / "log", say=print, hook=nothing)
    assert calls == [("install", "runc"), ("update",), ("install", "runc")]
