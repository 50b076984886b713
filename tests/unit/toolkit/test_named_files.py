from __future__ import annotations

import pytest

from sunk.toolkit.job_file import read_job
from sunk.toolkit.named_files import missing_files


@pytest.mark.parametrize(
    ("template", "words", "field", "name"),
    [
        ("fsdp2", ["containerImage=/no/such.sqsh"], "containerImage", "/no/such.sqsh"),
        (
            "fsdp2",
            ["containerImage={here}/x.sqsh", "containerMounts=['/no/data:/data:ro']"],
            "containerMounts",
            "/no/data",
        ),
        ("vllm", ["apiKeyFile=/no/key"], "apiKeyFile", "/no/key"),
        ("data-preparation", ["inputs=['{here}/x.sqsh', /no/part, part]"], "inputs", "/no/part"),
    ],
)
def test_file_that_is_not_here_is_named(tmp_path, template, words, field, name):
    (tmp_path / "x.sqsh").touch()
    _, parameters = read_job(template, [word.replace("{here}", str(tmp_path)) for word in words])
    assert list(missing_files(parameters)) == [
        f"{field}: {name} is not on this machine; the nodes need it"
    ]


def test_image_by_its_digest_and_a_job_without_files_have_no_remark():
    image = f"containerImage='nvcr.io/x@sha256:{'a' * 64}'"
    for words in ([image], []):
        assert list(missing_files(read_job("fsdp2", words)[1])) == []
