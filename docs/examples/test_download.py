"""How a tester's suite uses the lab: every item, downloaded by your client, compared byte by byte.

PYTHONPATH=tools pytest -p pytest_seedbed docs/examples/test_download.py --seedbed-portal http://PORTAL:8000/ \
    --seedbed-client 'aria2c --seed-time=0 --dir={directory} {torrent}'

docs/pytest-plugin.md tells what the fixtures do.
"""

import pytest


@pytest.mark.seedbed(scripted=False)
def test_every_item_keeps_its_promise(item, download):
    download(item)
