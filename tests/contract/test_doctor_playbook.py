"""What an operator reads when there is nothing for the doctor to look at: playbooks/doctor.yml."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def test_a_lab_that_is_not_up_is_one_sentence(refused: Callable[..., str]) -> None:
    assert "No catalogue: tracker1, the portal, cannot be reached by SSH." in refused("doctor.yml")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"magnet": "magnet:?dn=x"}, "magnet is 'magnet:?dn=x', which has no v1 info hash"),
        ({"doctor_peer_timeout": 0}, "doctor_peer_timeout is 0; expected seconds, more than 0"),
        ({"doctor_peer_timeout": "nan"}, "doctor_peer_timeout is 'nan'; expected seconds, more than 0"),
        ({"doctor_peer_timeout": None}, "argument 'doctor_peer_timeout' is of type NoneType and we were unable"),
        ({"torrent": ["a", "b"]}, "torrent is ['a', 'b']; expected a text, names separated by commas"),
        ({"doctor_every_item": {"a": 1}}, "argument 'doctor_every_item' is of type dict and we were unable to convert"),
    ],
)
def test_faulty_options_are_refused_before_any_host_is_asked(
    refused: Callable[..., str], variables: dict[str, object], sentence: str
) -> None:
    output = refused("doctor.yml", **variables)
    assert sentence in output
    assert "Traceback" not in output
    assert "Ask every host about itself" not in output
