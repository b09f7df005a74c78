"""The archive of evidence: the page, what it was made of, and the packets, without the lab's secrets."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from typing import Any, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.files import read_file, write_atomically
from ansible.module_utils.seedbed.base.packets import read_pcap
from ansible.module_utils.seedbed.evidence.page import Told, page
from ansible.module_utils.seedbed.evidence.timeline import timeline
from ansible.module_utils.seedbed.torrent.credentials import HIDDEN, without_password

SHORTEST_SECRET = 4
"""What is shorter would be found where it is none."""
_RPC_QUESTION = re.compile(r"(/jsonrpc\?)\S+")
"""What aria2 logs of a page that asks so has its secret in it, as base64."""
_HEADER = re.compile(r"(?i)((?:authorization|x-transmission-session-id|cookie)\"?[:=]\s*)[^\r\n\"]+")


class Case(NamedTuple):
    """What the controller knows of it."""

    title: str
    info_hash: str
    when: float
    verdicts: Sequence[Mapping[str, Any]]
    answers: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, str]
    """The hosts of the lab by their addresses."""
    tracker_ports: Sequence[int]


def redacted_text(text: str, secrets: Sequence[str]) -> str:
    """Return a text without these secrets, and without what looks like one: passwords in URLs, HTTP headers."""
    for secret in sorted(filter(_is_secret, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
        # As it stands inside of a JSON text.
        text = text.replace(json.dumps(secret)[1:-1], HIDDEN)
    text = "\n".join(map(without_password, text.split("\n")))
    return _RPC_QUESTION.sub(rf"\1{HIDDEN}", _HEADER.sub(rf"\1{HIDDEN}", text))


def redacted_bytes(data: bytes, secrets: Sequence[str]) -> bytes:
    """Return bytes in which these secrets are struck out, as long as before."""
    for secret in filter(_is_secret, secrets):
        data = data.replace(secret.encode(), b"x" * len(secret.encode()))
    return data


def _is_secret(text: str) -> bool:
    return len(text) >= SHORTEST_SECRET


def _without(value: Any, secrets: Sequence[str]) -> Any:
    """Return a value of JSON with all its texts redacted."""
    if isinstance(value, str):
        return redacted_text(value, secrets)
    if isinstance(value, dict):
        return {key: _without(each, secrets) for key, each in value.items()}
    return [_without(each, secrets) for each in value] if isinstance(value, list) else value


def make_archive(fetched: str, destination: str, case: Case, secrets: Sequence[str]) -> list[str]:
    """Write DESTINATION.html and .zip of what was fetched from the hosts; return the hosts that told nothing.

    fetched: a directory with HOST/host.json and HOST/packets.pcap.
    """
    hosts, lines, members, silent = {}, {}, {}, []
    for name in sorted(os.listdir(fetched)):
        raw = read_file(os.path.join(fetched, name, "host.json"))
        if raw is None:
            silent.append(name)
            continue
        hosts[name] = _without(json.loads(raw), secrets)
        packets = redacted_bytes(read_file(os.path.join(fetched, name, "packets.pcap")) or b"", secrets)
        members[f"{name}.json"] = json.dumps(hosts[name], ensure_ascii=False, indent=1).encode()
        if packets:
            members[f"{name}.pcap"] = packets
            lines[name] = timeline(read_pcap(packets), case.names, case.tracker_ports)
    verdicts, answers = _without(list(case.verdicts), secrets), _without(dict(case.answers), secrets)
    shown = page(Told(case.title, case.info_hash, case.when, verdicts, answers, hosts, lines)).encode()
    members["doctor.json"] = json.dumps(
        {"verdicts": verdicts, "answers": answers}, ensure_ascii=False, indent=1
    ).encode()
    members["index.html"] = shown
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in sorted(members.items()):
            archive.writestr(member, content)
    os.makedirs(os.path.dirname(destination) or ".", mode=0o700, exist_ok=True)
    # It tells of the network more than everybody has to know.
    write_atomically(f"{destination}.html", shown, mode=0o600)
    write_atomically(f"{destination}.zip", packed.getvalue(), mode=0o600)
    return silent
