"""What HTTP statuses of the API server mean."""

from __future__ import annotations

import json

import pytest

from sunk.clients.kube.refusals import refusal
from sunk.errors import Conflict, NotFound, Rejected, Unauthorized, Unreachable


def answer(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthorized),
        (403, Unauthorized),
        (404, NotFound),
        (409, Conflict),
        (422, Rejected),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_status_means(status, kind):
    error = refusal("apply Pod x", status, answer("why"))
    assert type(error) is kind
    assert error.message == f"apply Pod x: HTTP {status}: why"


def test_object_with_a_field_too_many_is_wrong_and_not_to_be_tried_again():
    """The API server answers it with 500, as if it were its own fault."""
    error = refusal("apply X", 500, answer("failed to create typed patch object: .spec.colour"))
    assert type(error) is Rejected


def test_answer_that_is_no_status_object_is_left_out():
    assert refusal("apply X", 502, b"<html>").message == "apply X: HTTP 502"
