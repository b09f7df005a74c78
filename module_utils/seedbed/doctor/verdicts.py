"""What the doctor can say: each verdict's severity, its cause in words with a place for particulars, and what to do."""

from __future__ import annotations

from typing import NamedTuple

from ansible.module_utils.seedbed.base.sizes import WHOLE
from ansible.module_utils.seedbed.torrent.model import Verdict


class Kind(NamedTuple):
    """What a verdict means: how bad it is, in words with a place for particulars, and what to do."""

    severity: str
    cause: str
    remedy: str


VERDICTS = {
    "healthy": Kind("ok", "{detail}", ""),
    "as_ordered": Kind("ok", "{detail}, as ordered", ""),
    # Those who play by script
    "scripted_unreachable": Kind(
        "fault", "{where}, which plays it by script, cannot be reached by SSH", "check whether the host is up"
    ),
    "scripted_down": Kind(
        "fault",
        "the scripted peer is down: its daemon does not run on {where}",
        "systemctl start seedbed-scripted there",
    ),
    "scripted_not_played": Kind(
        "fault", "the daemon of scripted peers on {where} does not play it", "run the site playbook"
    ),
    "scripted_address_gone": Kind(
        "fault",
        "{where} plays a peer at {detail}, and does not have that address any more",
        "systemctl restart seedbed-addresses there, or run the site playbook",
    ),
    "scripted_nowhere": Kind(
        "fault",
        "{detail} should play it by script, and is no address of a host in scripted_peers",
        "run the site playbook: it has the torrent played where the inventory says now",
    ),
    "scripted_stale": Kind(
        "warning",
        "{where} plays what it did before, as it refuses its configuration: {detail}",
        "run the site playbook",
    ),
    # The tracker
    "no_tracker": Kind(
        "fault", "the torrent names no tracker", "give it one: without DHT nobody finds peers otherwise"
    ),
    "private_without_tracker": Kind(
        "fault", "the torrent is private and names no tracker, so DHT is forbidden too", "give it a tracker"
    ),
    "tracker_dns": Kind(
        "fault", "{detail}", "use a name that every client resolves, or the IP address, in the torrent"
    ),
    "tracker_down": Kind(
        "fault", "the tracker's service is not running on {where}", "systemctl start opentracker there"
    ),
    "tracker_unreachable": Kind(
        "fault", "the tracker {where} answers neither clients nor SSH: {detail}", "check whether the host is up"
    ),
    "tracker_wrong_port": Kind(
        "fault",
        "the torrent announces to {port}, the tracker listens on {right}",
        "run the site playbook: it gives every torrent the tracker's present address",
    ),
    "tracker_refused": Kind(
        "fault", "nothing listens at {where} (connection refused)", "start the tracker, or correct address and port"
    ),
    "tracker_filtered": Kind(
        "fault", "{where} does not answer: {detail}", "check for a firewall in between, and whether the host is up"
    ),
    "tracker_http_filtered": Kind(
        "warning",
        "{where} answers over UDP but not over HTTP: {detail}",
        "open the port for TCP, for clients without UDP",
    ),
    "tracker_udp_filtered": Kind(
        "warning", "{where} answers over HTTP but not over UDP: {detail}", "open the port for UDP, too"
    ),
    "tracker_blocked_here": Kind("fault", "{where}: {detail}", "open this host's own firewall for outgoing traffic"),
    "tracker_not_authorized": Kind(
        "fault",
        "the tracker's access list does not allow this torrent",
        "add the info hash to opentracker_accesslist_hashes, or take it off the black list, and run the site playbook",
    ),
    "tracker_refuses": Kind("fault", "{where}: {detail}", "do what the tracker's text asks for"),
    "tracker_unauthorized": Kind(
        "fault",
        "{where} wants a user and a password: {detail}",
        "put the right ones into the announce address, http://user:password@host:port/announce",
    ),
    "tracker_refuses_doctor": Kind(
        "warning",
        "{where} takes some clients alone, and the doctor is none of them: {detail}",
        "look with a client that it takes; what the doctor says of peers is what else it could see",
    ),
    "tracker_for_browsers": Kind(
        "fault",
        "the torrent names trackers for browsers (WebTorrent) alone: {detail}",
        "give it an http, https or udp tracker, too",
    ),
    "tracker_invalid_request": Kind(
        "fault",
        "{where} calls the request invalid: {detail}",
        "correct the announce address; opentracker takes no compact=0, no second info hash, no port above 65535",
    ),
    "tracker_odd_path": Kind(
        "fault",
        "{where} knows no {detail}",
        "announce addresses of opentracker end in /announce",
    ),
    "tracker_wrong_protocol": Kind(
        "fault", "{where} is no tracker of this protocol: {detail}", "correct scheme and port of the announce address"
    ),
    # The seeder
    "seeder_unreachable": Kind("fault", "the seeder {where} cannot be reached by SSH", "check whether the host is up"),
    "seeder_unseen": Kind(
        "warning",
        "the seeder {where} serves, but cannot be reached by SSH",
        "check its address and key in the inventory",
    ),
    "seeder_down": Kind("fault", "Transmission is not running on {where}", "systemctl start transmission-daemon there"),
    "seeder_rpc": Kind(
        "warning",
        "the daemon on {where} could not be queried: {detail}",
        "run the site playbook: it sets port, user and password",
    ),
    "torrent_not_added": Kind("fault", "the seeder {where} does not have the torrent", "run the site playbook"),
    "torrent_paused": Kind("fault", "the torrent is paused on {where}", "resume it, or run the site playbook"),
    "torrent_verifying": Kind(
        "fault", "{where} is still verifying the content ({detail})", "wait; it announces when it is done"
    ),
    "content_missing": Kind(
        "fault", "content is missing on {where}: {detail}", "put it back and run the site playbook, which verifies it"
    ),
    "content_damaged": Kind(
        "fault",
        "the content on {where} is not the torrent's: {detail}",
        "verify the torrent there, replace the content",
    ),
    "disk_full": Kind("fault", "the disk of {where} is full", "make room where the content lies"),
    "seeder_error": Kind("fault", "{where} reports: {detail}", "do what the text asks for, then resume the torrent"),
    "announced_elsewhere": Kind(
        "fault",
        "{where} announces to {detail}, not to the torrent's trackers",
        "run the site playbook: it brings the seeder's trackers up to date",
    ),
    "seeder_cannot_announce": Kind(
        "fault", "{where} cannot announce: {detail}", "check the network between the seeder and the tracker"
    ),
    "no_default_route": Kind(
        "fault",
        "{where} has no default route, and Transmission {detail} uses no UDP tracker without one",
        "give the host a default route or the torrent an HTTP tracker",
    ),
    "not_announced": Kind(
        "fault",
        "{tracker} does not list the seeder {where}, though it seeds",
        "reannounce there; a restarted tracker knows nobody until the next announce",
    ),
    "wrong_address": Kind(
        "fault",
        "the tracker hands out {detail} for the seeder {where}: {why}",
        "let the seeder announce to the tracker's lab_address, without loopback, NAT or proxy in between",
    ),
    # The peer
    "peer_port_closed": Kind(
        "fault",
        "nothing listens on the peer port {where} (connection refused)",
        "start the seeder, correct its peer port",
    ),
    "peer_port_filtered": Kind(
        "fault",
        "the peer port {where} does not answer",
        "open it in the firewalls in between: lab_firewall, the network's",
    ),
    "peer_not_serving": Kind(
        "fault",
        "{where} answers, but does not serve this info hash",
        "check whether the torrent runs there; a client may also refuse this address",
    ),
    "same_address": Kind(
        "fault",
        "Transmission {detail} on {where} serves no peer at its own address",
        "use Debian 13 for the seeder, or another address for the leecher (leecher_address)",
    ),
    "address_remembered": Kind(
        "fault",
        "Transmission {detail} on {where} closes on this address, as on any from which it has seen the whole torrent",
        "restart transmission-daemon there before the next download, or use Debian 13 for the seeder",
    ),
    "encryption_required": Kind(
        "warning",
        "{where} closes on plain connections and serves encrypted ones alone",
        "set transmission_encryption to preferred, unless every client encrypts",
    ),
    "encryption_refused": Kind(
        "warning",
        "{where} takes plain connections alone, so a client that insists on encryption gets nothing from it",
        "let the client there encrypt, unless every other client does without",
    ),
    "partial": Kind(
        "fault",
        "only {detail} of the content can be had, so a download stalls there",
        "add a seeder that has all of it",
    ),
    "only_leechers": Kind("fault", "{detail}, and none has the whole content", "add a seeder"),
    "nobody": Kind(
        "fault", "the tracker knows nobody for this torrent", "start a seeder that announces to this tracker"
    ),
    "metadata_unavailable": Kind(
        "fault", "no peer sends the metadata, so a magnet does not work: {detail}", "hand out the .torrent file"
    ),
    "web_seed_broken": Kind(
        "fault",
        "the web seed {where} does not serve it: {detail}",
        "correct its address in the torrent, or put the torrent's own content there; it has to serve ranges",
    ),
    "udp_only": Kind(
        "warning",
        "the torrent has UDP trackers alone, and an aria2 without DHT cannot use them",
        "give it an HTTP tracker, too, unless every client speaks UDP to trackers",
    ),
    "interval_odd": Kind(
        "warning", "the tracker asks for an announce every {detail} s", "set a usual interval, 30 minutes"
    ),
    "clock_skew": Kind("warning", "the clock of {where} is {detail} s off", "let the host synchronise its clock"),
}
SEVERITIES = ("fault", "warning", "ok")

REMARKS = {
    "no_metadata_as_ordered": "a magnet never gets its metadata, as ordered",
    "hard_as_ordered": "popular clients are known to fail here, as ordered",
    "private_magnet": "private: use the .torrent, its magnet can never work",
    "empty_on_purpose": "it has no bytes and no seeder: its .torrent is all that a client needs, a magnet finds nobody",
    "web_seed_on_purpose": "no peer seeds it, as the catalogue says: a client with its .torrent gets it from the web "
    "seed",
    "web_seed_alone": "no peer that was met has all of it: a client with its .torrent gets it from the web seed "
    "{where}",
    "trackerless_on_purpose": "it has no tracker, as the catalogue says: a client has to be told a seeder's address, "
    "or to find it by DHT, peer exchange or local discovery",
    "dead_on_purpose": "{where}, none of the lab's trackers, does not answer: a client has to go on to the others, "
    "which do",
    "tracker_for_browsers": "{where} is for browsers (WebTorrent) alone; other clients pass over it",
    "odd_answer": "{where}: {detail}",
    "slow_seeder": "{where} runs Transmission {detail}, which gives each peer about 8 MB/s",
    "partial_on_purpose": "{detail} of it is seeded, as the catalogue says: a download stalls there",
    "part_on_purpose": "{where} holds the part {detail} of it, as the catalogue says: a download needs the others, too",
    "partial_and_growing": "{where} began with {detail} of it, has {now}, and fetches the rest from whoever has it",
}


def remembered_alone(verdict: Verdict) -> bool:
    """Return whether all that is wrong is that seeders with Transmission 3.00 have served this host before."""
    code = "address_remembered"
    words = VERDICTS[code].cause.partition("{where}")[2]
    return verdict["verdict"] == code and all(cause.endswith(words) for cause in verdict["more"])


def count(number: int | None, what: str) -> str:
    """Return so many of something, as people write it; a question mark for a number that is not known."""
    return f"{'?' if number is None else number} {what}{'' if number == 1 else 's'}"


def percent(share: int) -> str:
    """Return a share in millionths as whole percent."""
    return f"{share / WHOLE:.0%}"
