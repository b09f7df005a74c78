"""What role doctor decides: options, the choice of torrents, verdicts, and what people read."""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.module_utils.seedbed.base.services import host_ip, scripted_addresses
from ansible.module_utils.seedbed.catalogue.impairments import named
from ansible.module_utils.seedbed.doctor.choice import Case, States, faults_before_asking, make_case
from ansible.module_utils.seedbed.doctor.details import details
from ansible.module_utils.seedbed.doctor.host_state import host_state
from ansible.module_utils.seedbed.doctor.judge import verdict
from ansible.module_utils.seedbed.doctor.published import published
from ansible.module_utils.seedbed.doctor.report import CONTROLLER, ReportLine, conclusion, report
from ansible.module_utils.seedbed.host.impairment_report import notice_lines
from ansible.module_utils.seedbed.torrent.model import HostImpairment, Verdict, View, from_json, to_json


def doctor_host(
    answers: Mapping[str, Mapping[str, Any]], *, host: Mapping[str, Any], address: str, **inventory: Any
) -> str:
    """Return what a host says about itself, as JSON text; host: its variables."""
    plays = "scripted_peer" in (host.get("lab_services") or {})
    addresses = scripted_addresses(host) if plays else []
    return to_json(host_state(answers, address=address, ip=host_ip(host, address), addresses=addresses, **inventory))


def doctor_verdicts(case: Case, *, view: View) -> list[Verdict]:
    """Return one verdict for each torrent that is looked at, from one viewpoint."""
    states: States = from_json(case["states_json"])
    subjects = from_json(case["subjects_json"])
    return [verdict(subject, view, states["seeders"], states["trackers"], states["scripted"]) for subject in subjects]


def doctor_details(case: Case, *, answers: Mapping[str, Any], host: str) -> list[ReportLine]:
    """Return what trackers and peers showed one host, as lines for people."""
    subjects = from_json(case["asked_json"])
    return details(subjects, answers["trackers"], answers["peers"], _view_name(host), answers.get("webseeds", ()))


def doctor_report(found: Mapping[str, Sequence[Verdict]], *, every_item: bool) -> list[ReportLine]:
    """Return the table of all verdicts; found: those of each host, none of one that could not look."""
    unreachable = [_view_name(host) for host, verdicts in found.items() if not verdicts]
    return report(_all(found), unreachable, every_item=every_item)


def doctor_conclusion(found: Mapping[str, Sequence[Verdict]]) -> dict[str, Any]:
    """Return whether every item can be downloaded, and the sentence that says so."""
    well, message = conclusion(_all(found), [_view_name(host) for host in found])
    return {"well": well, "message": message}


def doctor_document(
    found: Mapping[str, Sequence[Verdict]],
    *,
    closed: Sequence[Mapping[str, str]],
    impairments: Mapping[str, HostImpairment | None],
) -> dict[str, Any]:
    """Return all verdicts for programs, the declared ports that are closed to others, and what is bad on purpose."""
    return {
        "schema_version": 1,
        "verdicts": _all(found),
        "closed_ports": list(closed),
        "impairments": named(impairments),
    }


def doctor_published(found: Mapping[str, Sequence[Verdict]], *, before: str, when: int) -> str:
    """Return what the portal publishes: of each item the worst verdict that counts, and when it was found.

    before: what was published before, in base64; of items that were not looked at it stays.
    """
    return to_json(published(_all(found), before, when))


def _view_name(host: str) -> str:
    return CONTROLLER if host == "localhost" else host


def _all(found: Mapping[str, Sequence[Verdict]]) -> list[Verdict]:
    return [verdict for verdicts in found.values() for verdict in verdicts]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "doctor_option_faults": faults_before_asking,
            "doctor_host": doctor_host,
            "doctor_host_ip": host_ip,
            "doctor_case": make_case,
            "doctor_verdicts": doctor_verdicts,
            "doctor_details": doctor_details,
            "doctor_published": doctor_published,
            "doctor_report": doctor_report,
            "doctor_conclusion": doctor_conclusion,
            "doctor_document": doctor_document,
            "doctor_impairment_lines": notice_lines,
        }
