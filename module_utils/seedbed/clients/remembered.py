"""Whether a download came to nothing because this host has had all of it before.

Transmission 3.00 remembers, until it is restarted, from which addresses it saw the whole of a torrent, and closes on
them at once. To the proof of a lab that is no fault: the content came from there, and the tracker still leads there.
"""

from __future__ import annotations

from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question, ask
from ansible.module_utils.seedbed.probe.peer_handshake import PeerOptions, Target
from ansible.module_utils.seedbed.probe.peers import meet_all
from ansible.module_utils.seedbed.torrent.model import DownloadResult, PublicItem, flatten_tiers

LACKING = "second turn at a seeder with Transmission 3.00, which has seen all of it at this address"
BEFORE_CONTENT = ("metadata", "connect")


def turned_away(item: PublicItem, source: str) -> bool:
    """Return whether trackers list peers of an item of whom none serves this host, and one closes on it at once."""
    questions = [Question(tracker, "announce", item["info_hash"]) for tracker in flatten_tiers(item["trackers"])]
    answers = ask(questions, AnnounceOptions())
    listed = {(peer["address"], peer["port"]) for answer in answers if answer["ok"] for peer in answer["peers"]}
    options = PeerOptions(metadata=False, source=source)
    met = meet_all([Target(*place, item["info_hash"]) for place in sorted(listed)], options)
    return any(peer["reason"] == "not_served" for peer in met) and not any(peer["ok"] for peer in met)


def forgiven(item: PublicItem, result: DownloadResult, source: str) -> DownloadResult:
    """Return the result of a download, skipped where its seeder has turned this host away."""
    if result["fault"] and result["step"] in BEFORE_CONTENT and turned_away(item, source):
        return {**result, "fault": "", "skipped": LACKING}
    return result
