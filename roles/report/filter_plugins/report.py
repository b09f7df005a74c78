"""What a run ends with."""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.module_utils.seedbed.base import ssh
from ansible.module_utils.seedbed.base.services import endpoint
from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.doctor.report import name_some
from ansible.module_utils.seedbed.doctor.verdicts import remembered_alone

Variables = Mapping[str, Any]
"""The variables of a host."""


def lab_summary(
    items: Sequence[Mapping[str, Any]],
    *,
    hosts: Sequence[Variables],
    portal: str,
    groups: Mapping[str, Sequence[str]],
    secrets: Mapping[str, str],
) -> list[dict[str, str]]:
    """Return lines for people: where everything is, what was proven, and what the doctor found.

    `secrets` are the names and paths of files on the controller that hold a password.
    """
    named = {str(host["inventory_hostname"]): host for host in hosts}

    def members(group: str) -> list[Variables]:
        return [named[name] for name in groups.get(group, []) if name in named]

    tracker, seeder = members("trackers")[0], members("seeders")[0]
    leechers = members("leechers")
    total = format_size(sum(int(item["size"]) for item in items))
    lines = [
        ("Portal", f"http://{endpoint(named[portal], 'portal')}/  ({len(items)} torrents, {total})"),
        *_portal_over_tls(named[portal]),
        ("Tracker", " and ".join(f"{scheme}://{endpoint(tracker, 'tracker')}/announce" for scheme in ("http", "udp"))),
        *_tracker_over_tls(tracker),
        ("Statistics", f"http://{endpoint(tracker, 'tracker')}/{tracker['lab_services']['tracker']['statistics']}"),
        ("Web UI", f"http://{endpoint(seeder, 'seeder', 'rpc_port')}/transmission/web/  user {_user(seeder)}"),
    ]
    if "transmission_rpc_password" in secrets:
        lines.append(("Password", f"in {secrets['transmission_rpc_password']}"))
    for host in members("seeders"):
        if "flood" in host["lab_services"]:
            password = f", password in {secrets['flood_password']}" if "flood_password" in secrets else ""
            user = host["lab_services"]["flood"]["user"]
            lines.append(("Flood", f"http://{endpoint(host, 'flood')}/  user {user}{password}"))
    for host in leechers:
        lines += _aria2(host, secrets)
    for host in members("scripted_peers"):
        played = sum(host["inventory_hostname"] in (item.get("scripted") or {}) for item in items)
        where = f"http://{endpoint(host, 'scripted_peer')}/status.json"
        lines.append(("By script", f"{where}  plays in {played} of the torrents"))
    lines += _from_afar(named[portal], tracker, seeder)
    lines += [("Magnet", item["magnet"]) for item in [item for item in items if item.get("magnet")][:1]]
    lines += [("Proven", _proof(leecher)) for leecher in leechers]
    verdict_line, unwell = _doctors_word(leechers)
    lines += verdict_line
    lines.append(
        ("Trouble?", "ansible-playbook playbooks/doctor.yml says of every torrent why it does, or does not, download")
    )
    return [{"text": ""}] + [
        {"text": f"{head:10} {text}", **({"severity": "fault"} if head == "Doctor" and unwell else {})}
        for head, text in lines
    ]


def _portal_over_tls(portal: Variables) -> list[tuple[str, str]]:
    """Where the portal is for those who trust the lab's authority, and where that is."""
    if not portal["lab_services"]["portal"].get("tls_port"):
        return []
    ca = f"http://{endpoint(portal, 'portal')}/ca.crt"
    return [("", f"https://{endpoint(portal, 'portal', 'tls_port')}/  for those who trust {ca}")]


def _tracker_over_tls(tracker: Variables) -> list[tuple[str, str]]:
    if not tracker["lab_services"]["tracker"].get("tls_port"):
        return []
    return [("", f"https://{endpoint(tracker, 'tracker', 'tls_port')}/announce  likewise, in no torrent of the lab")]


def _from_afar(portal: Variables, tracker: Variables, seeder: Variables) -> list[tuple[str, str]]:
    """How somebody behind a jump host opens all of it: through the portal's host, which reaches the others anyway."""
    way = ssh.route(portal)
    if not way.jump:
        return []
    forwards: list[ssh.Forward] = []
    opened = []
    for host, service, key, path in (
        (portal, "portal", "port", ""),
        (tracker, "tracker", "port", tracker["lab_services"]["tracker"]["statistics"]),
        (seeder, "seeder", "rpc_port", "transmission/web/"),
        *([(seeder, "flood", "port", "")] if "flood" in seeder["lab_services"] else []),
    ):
        port = int(host["lab_services"][service][key])
        here = port if port not in [forward[0] for forward in forwards] else port + 10000
        same = host["inventory_hostname"] == portal["inventory_hostname"]
        forwards.append((here, "127.0.0.1" if same else str(host["lab_address"]), port))
        opened.append(f"http://localhost:{here}/{path}")
    return [("From afar", ssh.tunnel(way, forwards)), ("", f"opens {' '.join(opened)}")]


def _doctors_word(leechers: Sequence[Variables]) -> tuple[list[tuple[str, str]], bool]:
    """What the doctor found, and whether it is a fault; nothing where nobody has asked it."""
    verdicts = [verdict for leecher in leechers for verdict in leecher.get("__doctor_verdicts", [])]
    if not verdicts:
        return [], False
    # No fault of the lab, as in its proof: by the acceptance itself the seeder remembers who has all of it.
    served = [verdict for verdict in verdicts if remembered_alone(verdict)]
    unwell = [verdict for verdict in verdicts if verdict["severity"] != "ok" and verdict not in served]
    if unwell:
        return [("Doctor", "not well: " + "; ".join(f"{each['item']} ({each['cause']})" for each in unwell))], True
    count = len({verdict["item"] for verdict in verdicts})
    if not served:
        return [("Doctor", f"every one of {count} torrents is healthy")], False
    names = name_some(list(dict.fromkeys(verdict["item"] for verdict in served)))
    whom = name_some(list(dict.fromkeys(verdict["from"] for verdict in served)))
    why = f"Transmission 3.00 has served {names} to {whom}, and does so again once it is restarted"
    return [("Doctor", f"every one of {count} torrents can be downloaded; {why}")], False


def _aria2(leecher: Variables, secrets: Mapping[str, str]) -> list[tuple[str, str]]:
    """Where testers, and pages and extensions of their browsers, reach an aria2 that runs all the time."""
    service = leecher.get("lab_services", {}).get("leecher", {})
    if not service.get("persistent"):
        return []
    port = int(service["rpc_port"])
    secret = f"in {secrets['leecher_rpc_secret']}" if service.get("rpc_secret_made") else "as in leecher_rpc_secret"
    return [
        ("aria2", f"http://{endpoint(leecher, 'leecher', 'rpc_port')}/jsonrpc  secret {secret}"),
        ("", f"or http://localhost:{port}/jsonrpc by {ssh.tunnel(ssh.route(leecher), [(port, '127.0.0.1', port)])}"),
    ]


def _user(seeder: Variables) -> str:
    return str(seeder["lab_services"]["seeder"]["rpc_user"])


def _proof(leecher: Variables) -> str:
    name, proof = leecher["inventory_hostname"], leecher.get("__report_proof")
    if not proof:
        return f"not by {name}: ansible-playbook playbooks/site.yml -e lab_acceptance=always"
    done = [
        f"{each['via']} over {each['tracker']} in {each['seconds']['verified']:.0f} s"
        for each in proof["downloads"]
        if each["ok"]
    ]
    if not done:
        return f"{proof['when']} by {name}, reached: it has had all of this before, see the table"
    return f"{proof['when']} by {name}, SHA-256 equal: {'; '.join(done)}"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"lab_summary": lab_summary}
