"""What an operator reads when there is nothing for the doctor to look at: playbooks/doctor.yml."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def test_a_lab_that_is_not_up_is_told_in_one_sentence(refused: Callable[..., str]) -> None:
    assert "No catalogue: tracker1, the portal, cannot be reached by SSH." in refused("doctor.yml")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"magnet": "magnet:?dn=x"}, "magnet is 'magnet:?dn=x', which has no v1 info hash"),
        ({"doctor_peer_timeout": 0}, "doctor_peer_timeout is 0; expected seconds, more than 0"),
    ],
)
def test_faulty_options_are_refused_before_any_host_is_asked(
    refused: Callable[..., str], variables: dict[str, object], sentence: str
) -> None:
    told = refused("doctor.yml", **variables)
    assert sentence in told
    assert "Ask every host about itself" not in told
