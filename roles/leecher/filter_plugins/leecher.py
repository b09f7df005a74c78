"""Reads what is to be downloaded by which clients, and lays out the results for people and for CI."""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Mapping, Sequence
from xml.etree import ElementTree as Xml

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.base.text import aligned, printable
from ansible.module_utils.seedbed.clients import aria2_service
from ansible.module_utils.seedbed.clients.contract import FINDS
from ansible.module_utils.seedbed.clients.roster import KNOWN, own_faults

HEAD = ["client", "item", "by", "over", "size", "files", "metadata", "first byte", "done", "rate", "result"]
OF_A_VERDICT = ("verdict", "severity", "cause", "remedy")


def row(download: dict[str, Any]) -> list[str]:
    """Return the cells of one download."""
    times = [download["seconds"].get(key) for key in ("metadata", "first_byte", "download")]
    rate = download["rate"]
    return [
        download["client"],
        printable(download["name"]),
        download["via"].replace("_", " "),
        download["tracker"],
        format_size(download["size"]),
        str(download["files"]),
        *("-" if time is None else f"{time:.1f} s" for time in times),
        "-" if rate is None else f"{format_size(rate)}/s",
        outcome(download),
    ]


def outcome(download: dict[str, Any]) -> str:
    """Return in a few words what has become of a download."""
    if download["skipped"]:
        return f"skipped: no {download['skipped']}"
    if download["fault"]:
        return f"FAILED at {download['step']}" if download["step"] else "FAILED: not as promised"
    return "equal" if download["ok"] else f"{download['expected']}, as promised"


def with_verdicts(downloads: Sequence[dict[str, Any]], verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the downloads with what the doctor says of those that failed as their key doctor, null for the others."""
    told = {verdict["info_hash"]: {key: verdict[key] for key in OF_A_VERDICT} for verdict in verdicts}
    return [
        {**download, "doctor": told.get(download["info_hash"]) if download["fault"] else None} for download in downloads
    ]


def doctor_lines(download: Mapping[str, Any]) -> list[str]:
    """Return what the doctor says of a download that failed, and what to do."""
    said = download.get("doctor")
    if not said:
        return []
    remedy = [f"-> {said['remedy']}"] if said["remedy"] else []
    return [f"doctor: {said['verdict']}: {printable(said['cause'])}", *map(printable, remedy)]


def download_report(downloads: Sequence[dict[str, Any]]) -> str:
    """Return the downloads as an aligned table; wide characters count as the two columns that they take."""
    head, *rows = aligned([HEAD, *map(row, downloads)])
    lines = [head]
    for download, text in zip(downloads, rows):
        lines += [text, *("    " + line for line in doctor_lines(download))]
    return "\n".join(lines)


def junit_report(downloads: Sequence[dict[str, Any]], leecher: str, failures: Sequence[str] = ()) -> str:
    """Return the downloads of a leecher as JUnit XML; failures are sentences, some of which belong to no download."""
    cases = [_case(download) for download in downloads]
    faults = [download["fault"] for download in downloads if download["fault"]]
    for sentence in failures:
        if not any(sentence.endswith(fault) for fault in faults):
            cases.append(Xml.Element("testcase", classname="seedbed", name="plan"))
            Xml.SubElement(cases[-1], "failure", message=_xml_text(sentence))
    suite = Xml.Element("testsuite", name=f"downloads by {leecher}", tests=str(len(cases)))
    for kind in ("failure", "skipped"):
        number = sum(case.find(kind) is not None for case in cases)
        suite.set({"failure": "failures"}.get(kind, kind), str(number))
    suite.extend(cases)
    whole = Xml.Element("testsuites")
    whole.append(suite)
    Xml.indent(whole)
    return Xml.tostring(whole, encoding="unicode", xml_declaration=True) + "\n"


def _case(download: Mapping[str, Any]) -> Xml.Element:
    way = f"{download['name']} by {download['via'].replace('_', ' ')} over {download['tracker']}"
    seconds = max(download["seconds"].values(), default=0)
    case = Xml.Element(
        "testcase", classname=f"seedbed.{download['client']}", name=_xml_text(way), time=f"{seconds:.2f}"
    )
    if download["skipped"]:
        Xml.SubElement(case, "skipped", message=f"{download['client']} has no {download['skipped']}")
    elif download["fault"]:
        failure = Xml.SubElement(case, "failure", message=_xml_text(download["fault"]))
        told = [f"expected: {download['expected']}", *download["words"], *doctor_lines(download)]
        failure.text = _xml_text("\n".join(told))
    return case


def _xml_text(text: str) -> str:
    """Return a text without the characters that XML 1.0 has no way to write."""
    return re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def listed(wanted: Any, all_of_them: Sequence[str]) -> list[str]:
    """Return names as a list, each once; wanted: a list, a text with commas, or all of them in either."""
    names = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    names = [str(name).strip() for name in names]
    return list(all_of_them if "all" in names else dict.fromkeys(filter(None, names)))


def all_clients(own: Any) -> list[str]:
    """Return the names of all clients, the lab's and one's own."""
    return [*KNOWN, *(own if isinstance(own, Mapping) else ())]


def client_missing(client: str, system: Mapping[str, Any], own: Any) -> str:
    """Return why a host of that system cannot have a client, empty if it can; what is one's own is there already."""
    if client in system["clients"] or client in own:
        return ""
    return f"package known for {system['called']}"


def client_faults(clients: Sequence[str], own: Any) -> list[str]:
    """Return a sentence for everything that is wrong with the clients that were chosen, and with one's own."""
    faults = [f"leecher_own_clients: {fault}" for fault in own_faults(own)]
    known = all_clients(own)
    unknown = [name for name in clients if name not in known]
    return faults + [f"leecher_clients: there is no client {name!r}; known are {', '.join(known)}" for name in unknown]


def finds_faults(finds: Sequence[str], dht_hosts: Sequence[str]) -> list[str]:
    """Return a sentence for everything that is wrong with how peers are found besides trackers."""
    known = ", ".join(FINDS)
    faults = [f"leecher_finds: {name!r} finds no peers; known are {known}" for name in finds if name not in FINDS]
    if "dht" in finds and not dht_hosts:
        faults.append("leecher_finds has dht, which begins at a host of group scripted_peers, and there is none")
    return faults


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose errors Ansible shows as sentences."""

    def called(*arguments: Any, **more: Any) -> Any:
        try:
            return function(*arguments, **more)
        except SeedbedError as error:
            raise AnsibleFilterError(str(error)) from error

    return called


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "all_clients": all_clients,
            "aria2_configuration": aria2_service.configuration_text,
            "aria2_service_faults": aria2_service.service_faults,
            "is_address": aria2_service.is_address,
            "lab_trackers": _told(aria2_service.lab_trackers),
            "tracker_list": _told(aria2_service.tracker_list),
            "client_faults": client_faults,
            "client_missing": client_missing,
            "download_report": download_report,
            "finds_faults": finds_faults,
            "junit_report": junit_report,
            "listed": listed,
            "with_verdicts": with_verdicts,
        }
