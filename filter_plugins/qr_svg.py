"""Filter that draws a QR code."""

from __future__ import annotations

DOCUMENTATION = r"""
name: qr_svg
short_description: Draw a text as a QR code in SVG
description:
  - Black on white whatever the page's colours are, since many phones cannot read a light code on a dark ground.
  - The picture has no size of its own, only proportions, and a quiet zone of four modules around it.
options:
  _input:
    description: The text, such as a magnet link.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Draw a magnet link
  ansible.builtin.copy:
    content: "{{ 'magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567' | qr_svg }}"
    dest: /tmp/magnet.svg
    mode: "0644"
"""

RETURN = r"""
_value:
  description: A whole SVG document.
  type: str
  sample: <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 45 45">...</svg>
"""

import io
from typing import Callable

import segno
from ansible.errors import AnsibleFilterError


def qr_svg(text: str) -> str:
    """Draw a text as a QR code."""
    if not isinstance(text, str) or not text:
        raise AnsibleFilterError(f"qr_svg: expected a text, got {type(text).__name__}")
    try:
        # A fixed mask: choosing the best of eight costs ten times as much, and codes on screens are read all the same.
        code = segno.make_qr(text, error="l", boost_error=False, mask=3)
    except segno.DataOverflowError as error:
        raise AnsibleFilterError(f"qr_svg: {len(text.encode())} bytes do not fit into a QR code") from error
    picture = io.BytesIO()
    code.save(picture, kind="svg", border=4, light="#fff", xmldecl=False, svgclass=None, lineclass=None, omitsize=True)
    return picture.getvalue().decode()


class FilterModule:
    """Tell Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters of this file."""
        return {"qr_svg": qr_svg}
