"""What is wrong with one entry of a catalogue, whatever it is made of."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence

from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import is_text, quoted
from ansible.module_utils.seedbed.catalogue.script_faults import period_faults, script_faults
from ansible.module_utils.seedbed.catalogue.specs import Faults, kind_of, plain_recipe
from ansible.module_utils.seedbed.payload.layouts import LAYOUTS, MAX_FILES, is_single, lengths
from ansible.module_utils.seedbed.torrent.model import Recipe, Room
from ansible.module_utils.seedbed.torrent.names import name_faults, path_fault
from ansible.module_utils.seedbed.torrent.piece_lengths import fit_piece_length, parse_piece_length
from ansible.module_utils.seedbed.torrent.trackers import tiers_faults

_OPTIONS = (
    *("name", "piece_length", "version", "private", "trackers", "webseed", "comment", "source_tag", "swarm"),
    *("creation_date", "state"),
)
_KEYS = {
    "synthetic": ("synthetic", *_OPTIONS),
    "source": ("source", *_OPTIONS),
    "torrent": ("torrent", "source", "keep_trackers", "trackers", "swarm", "state"),
    "collection": ("collection", *(option for option in _OPTIONS if option != "name")),
}
_RECIPE = ("size", "files", "sizes", "layout", "depth", "fanout", "seed", "period")
_SWARM = ("seeders", "available", "fetch_rest", "upload_limit", "peers")


def entry_faults(entry: Any, seeders: Sequence[str], rooms: Sequence[Room] = ()) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with an entry by itself.

    rooms: of each host that plays by script.
    """
    if not isinstance(entry, Mapping):
        yield f"is {quoted(entry)}; a mapping would be right"
        return
    kind = kind_of(entry)
    if "source" in entry and "synthetic" in entry:
        yield "has both source and synthetic; keep the one that the content comes from"
    elif not kind:
        yield "needs its content from one of: synthetic, source, torrent with source, collection"
    yield from _unknown(entry, _KEYS[kind] if kind else (*_OPTIONS, "source", "synthetic", "torrent", "collection"))
    if "name" in entry:
        yield from name_faults(entry["name"])
    elif kind in ("synthetic", "source", ""):
        yield "has no name"
    if "synthetic" in entry:
        yield from (f"synthetic: {fault}" for fault in _recipe_faults(entry["synthetic"]))
    yield from _type_faults(entry)
    yield from _version_faults(entry)
    yield from _piece_faults(entry)
    if "trackers" in entry:
        yield from (f"trackers: {fault}" for fault in tiers_faults(entry["trackers"], scripts=True))
    if entry.get("webseed") is True:
        if kind != "synthetic":
            yield "webseed is for synthetic entries, whose content the portals make for themselves"
        elif isinstance(entry.get("swarm"), Mapping) and "available" in entry["swarm"]:
            yield "webseed and swarm.available exclude each other: a web seed has everything"
    if "swarm" in entry:
        yield from (f"swarm: {fault}" for fault in _swarm_faults(entry["swarm"], kind, seeders))
    yield from script_faults(entry, kind, rooms)


def _either(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]


def _check(value: Any, check: Callable[[Any], Any]) -> Faults:
    try:
        check(value)
    except SeedbedError as error:
        return [str(error)]
    return []


def _unknown(given: Mapping[Any, Any], known: Sequence[str]) -> Faults:
    return [f"{quoted(key)} is not known here; known are {', '.join(known)}" for key in given if key not in known]


def _is_count(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _size_faults(recipe: Mapping[str, Any]) -> Faults:
    """Faults of size, sizes and files."""
    if ("size" in recipe) == ("sizes" in recipe):
        return ["needs either size (of all files together) or sizes (of each file)"]
    files = recipe.get("files", 1)
    faults = []
    if not _is_count(files, 1, MAX_FILES):
        faults.append(f"files is {quoted(files)}; a number from 1 to {MAX_FILES} would be right")
    if "size" in recipe:
        return faults + [f"size: {fault}" for fault in _check(recipe["size"], sizes.parse_size)]
    given = recipe["sizes"]
    if isinstance(given, Mapping):
        return faults + _range_faults(given)
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_FILES:
        return [*faults, f"sizes is {quoted(given)}; a list of sizes, or min and max, would be right"]
    if "files" in recipe and files != len(given):
        faults.append(f"files is {quoted(files)}, but sizes lists {len(given)}; leave files out")
    return faults + [f"sizes: {fault}" for size in given for fault in _check(size, sizes.parse_size)]


def _range_faults(given: Mapping[Any, Any]) -> Faults:
    """Faults of sizes as min and max."""
    if set(given) != {"min", "max"}:
        return [f"sizes is {quoted(dict(given))}; min and max, both, would be right"]
    faults = [f"sizes: {fault}" for key in ("min", "max") for fault in _check(given[key], sizes.parse_size)]
    if not faults and sizes.parse_size(given["min"]) > sizes.parse_size(given["max"]):
        faults.append(f"sizes: min {given['min']} is larger than max {given['max']}")
    return faults


def _recipe_faults(recipe: Any) -> Faults:
    if not isinstance(recipe, Mapping):
        return [f"is {quoted(recipe)}; a mapping like {{size: 64MiB}} would be right"]
    faults = _unknown(recipe, _RECIPE) + _size_faults(recipe)
    layout = recipe.get("layout", "flat")
    if not isinstance(layout, str) or layout not in LAYOUTS:
        faults.append(f"layout is {quoted(layout)}; {_either(list(LAYOUTS))} would be right")
    for key, high in (("depth", 60), ("fanout", 100)):
        if key in recipe and layout != "nested":
            faults.append(f"{key} belongs to layout nested, not to {quoted(layout)}")
        elif key in recipe and not _is_count(recipe[key], 1, high):
            faults.append(f"{key} is {quoted(recipe[key])}; a number from 1 to {high} would be right")
    seed = recipe.get("seed", "")
    if not is_text(seed) and (isinstance(seed, bool) or not isinstance(seed, int)):
        faults.append(f"seed is {quoted(seed)}; a text would be right")
    return faults


def _swarm_faults(swarm: Any, kind: str, seeders: Sequence[str]) -> Faults:
    if not isinstance(swarm, Mapping):
        return [f"is {quoted(swarm)}; a mapping would be right"]
    faults = _unknown(swarm, _SWARM)
    chosen = swarm.get("seeders", [])
    if not isinstance(chosen, list):
        faults.append(f"seeders is {quoted(chosen)}; a list of host names would be right")
    else:
        faults += _strangers("seeders", chosen, seeders)
    available = swarm.get("available", "100%")
    if isinstance(available, Mapping) and available:
        faults += _strangers("available", available, seeders)
        if "seeders" in swarm:
            faults.append("available names the seeders already; leave seeders out")
        shares = list(available.values())
        bad_share = [fault for share in shares for fault in _check(share, sizes.parse_range)]
    else:
        shares, bad_share = [available], _check(available, sizes.parse_share)
    faults += [f"available: {fault}" for fault in bad_share]
    whole = bool(bad_share) or all(sizes.parse_range(share) == (0, sizes.WHOLE) for share in shares)
    if kind != "synthetic" and not whole:
        faults.append("available is for synthetic entries: files that you own are not punched full of holes")
    fetch_rest = swarm.get("fetch_rest", False)
    if not isinstance(fetch_rest, bool):
        faults.append(f"fetch_rest is {quoted(fetch_rest)}; true or false would be right")
    elif fetch_rest and not bad_share and whole:
        faults.append("fetch_rest needs available below 100%: without it nothing is left to fetch")
    if swarm.get("upload_limit") is not None:
        faults += [f"upload_limit: {fault}" for fault in _check(swarm["upload_limit"], sizes.parse_rate)]
    return faults


def _strangers(key: str, named: Iterable[Any], seeders: Sequence[str]) -> Faults:
    known = f"the seeders are {', '.join(seeders)}" if seeders else "there is no host in group seeders"
    return [
        f"{key} names {quoted(name)}, which is not in group seeders; {known}" for name in named if name not in seeders
    ]


def _type_faults(entry: Mapping[str, Any]) -> Faults:
    """Options whose type is all there is to check."""
    faults = []
    for key in ("private", "keep_trackers"):
        if key in entry and not isinstance(entry[key], bool):
            faults.append(f"{key} is {quoted(entry[key])}; true or false would be right")
    for key in ("comment", "source_tag"):
        if key in entry and not is_text(entry[key]):
            faults.append(f"{key} is {quoted(entry[key])}; a text would be right")
    for key in ("source", "torrent", "collection"):
        if key in entry and (not is_text(entry[key]) or not entry[key] or "\0" in entry[key]):
            faults.append(f"{key} is {quoted(entry[key])}; a path would be right")
        elif key in entry and key != "torrent" and not entry[key].startswith("/"):
            faults.append(f"{key} is {quoted(entry[key])}; an absolute path would be right")
    if not _is_count(entry.get("creation_date", 0), 0, 2**40):
        faults.append(f"creation_date is {quoted(entry['creation_date'])}; seconds since 1970 would be right")
    if entry.get("state", "present") not in ("present", "absent"):
        faults.append(f"state is {quoted(entry['state'])}; present or absent would be right")
    return faults


def _version_faults(entry: Mapping[str, Any]) -> Faults:
    version = entry.get("version", "v1")
    if version in ("hybrid", "v2"):
        return _hybrid_faults(entry.get("synthetic"))
    return [] if version == "v1" else [f"version is {quoted(version)}; v1, hybrid or v2 would be right"]


def _hybrid_faults(recipe: Any) -> Faults:
    """Directories too deep for a hybrid, of a recipe without other faults."""
    if not isinstance(recipe, Mapping) or _recipe_faults(recipe) or is_single(recipe):  # type: ignore[arg-type]
        return []
    path = LAYOUTS[recipe.get("layout", "flat")].path(0, recipe)  # type: ignore[arg-type]
    fault = path_fault(path, hybrid=True)
    return [f"synthetic: {fault}"] if fault else []


def _piece_faults(entry: Mapping[str, Any]) -> Faults:
    given = entry.get("piece_length")
    given = None if given == "auto" else given
    faults = [] if given is None else [f"piece_length: {fault}" for fault in _check(given, parse_piece_length)]
    recipe = entry.get("synthetic")
    if faults or not isinstance(recipe, Mapping) or _size_faults(recipe):
        return faults
    length = 0 if given is None else parse_piece_length(given)

    def fit(plain: Recipe) -> None:
        fit_piece_length(lengths(plain, plain["seed"]), hybrid=entry.get("version") in ("hybrid", "v2"), given=length)

    if "period" in recipe:
        faults = period_faults(entry, recipe["period"], length)
    return faults or _check(plain_recipe(recipe, str(entry.get("name"))), fit)  # type: ignore[arg-type]
