"""Filters of role portal: the page, and what its variables say."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils
import jinja2
import yaml

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../../../module_utils"))

from ansible.module_utils.seedbed.base.services import endpoint, host_address, service
from ansible.module_utils.seedbed.catalogue import page
from ansible.module_utils.seedbed.host import portal_config
from ansible.module_utils.seedbed.programs.collector import CollectorConfig
from ansible.module_utils.seedbed.programs.resetter import ResetterConfig
from ansible.module_utils.seedbed.torrent.malformed import malformed_list
from ansible.module_utils.seedbed.torrent.model import Item, WebFile, from_json
from ansible.module_utils.seedbed.torrent.odd import odd_list

ROLE = Path(__file__).resolve().parents[1]


@jinja2.pass_environment
def portal_files(
    ansible_environment: jinja2.Environment,
    items_json: str,
    *,
    lab: str,
    trackers: Sequence[str] = (),
    seeders: Sequence[str] = (),
    aria2_ui: bool = False,
    malformed: bool = False,
    odd: bool = False,
    collector: bool = False,
) -> list[WebFile]:
    """Return the parameter `files` of module torrent_file: pages, QR codes of public items, and the role's own files.

    Every text is escaped by the template engine itself; no text is trusted.
    """
    items: list[Item] = from_json(items_json)
    texts: Mapping[str, Mapping[str, str]] = yaml.safe_load((ROLE / "templates" / "texts.yml").read_text("utf-8"))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    values = {
        "lab": lab,
        "items": [page.shown_item(item) for item in items],
        "announce_urls": page.announce_urls(items),
        "trackers": trackers,
        "seeders": seeders,
        "aria2_ui": aria2_ui,
        "file_lists": {"odd": odd_list() if odd else [], "malformed": malformed_list() if malformed else []},
        "languages": {language: words["language"] for language, words in texts.items()},
    }
    template = environment.get_template("index.html.j2")
    files = {
        f"index.{language}.html": template.render(
            values, language=language, text=words, inside=_inside_words(words) if collector else ""
        ).encode()
        for language, words in texts.items()
    }
    draw: Callable[[str], str] = ansible_environment.filters["qr_svg"]
    files.update({f"qr/{item['info_hash']}.svg": draw(item["magnet"]).encode() for item in items if item["magnet"]})
    files.update({file.name: file.read_bytes() for file in sorted((ROLE / "files").iterdir())})
    return [{"path": path, "content": base64.b64encode(content).decode()} for path, content in files.items()]


def _inside_words(words: Mapping[str, str]) -> str:
    """Return what the page's script says of an item from inside, as JSON."""
    prefix = "in_"
    told = {key[len(prefix) :]: text for key, text in words.items() if key.startswith(prefix)}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def portal_faults(users: list[str], **settings: Any) -> list[str]:
    """Return what is wrong with the role's variables, a sentence each."""
    return portal_config.portal_faults(users=users, **settings)


def collector_settings(
    hosts: Mapping[str, Mapping[str, Any]],
    *,
    trackers: Sequence[str],
    seeders: Sequence[str],
    scripted: Sequence[str],
    published: str,
    seconds: Any,
) -> CollectorConfig:
    """Return the configuration of program `collector`; hosts: the variables of all."""
    return {
        "trackers": [
            {
                "name": name,
                "scrape": f"http://{endpoint(hosts[name], 'tracker')}/scrape",
                "statistics": (
                    f"http://{endpoint(hosts[name], 'tracker')}/"
                    f"{service(hosts[name], 'tracker')['statistics']}?mode=everything"
                ),
            }
            for name in trackers
        ],
        "seeders": [
            {
                "name": name,
                "rpc": (host_address(hosts[name]), int(service(hosts[name], "seeder")["rpc_port"])),
                "login": (
                    str(service(hosts[name], "seeder")["rpc_user"]),
                    str(hosts[name].get("transmission_rpc_password", "")),
                ),
            }
            for name in seeders
        ],
        "scripted": [
            {"name": name, "status": f"http://{endpoint(hosts[name], 'scripted_peer')}/status.json"}
            for name in scripted
            if "scripted_peer" in (hosts[name].get("lab_services") or {})
        ],
        "published": published,
        "seconds": float(seconds),
    }


def reset_settings(
    hosts: Mapping[str, Mapping[str, Any]], *, lab: CollectorConfig, here: str, token: str
) -> ResetterConfig:
    """Return the configuration of program `resetter`; hosts: the variables of all."""
    said = {seeder["name"]: hosts[seeder["name"]].get("transmission_adopt", False) for seeder in lab["seeders"]}
    adopted = [name for name, value in said.items() if str(value).lower() in ("true", "yes", "on", "y", "t", "1")]
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"lab": lab, "here": here, "adopted": adopted, "token_sha256": digest}


class FilterModule:
    """The role's own."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "collector_settings": collector_settings,
            "portal_connect_sources": portal_config.connect_sources,
            "portal_faults": portal_faults,
            "portal_files": portal_files,
            "portal_open_rpcs": portal_config.open_rpcs,
            "portal_testimony_places": portal_config.testimony_places,
            "reset_settings": reset_settings,
        }
