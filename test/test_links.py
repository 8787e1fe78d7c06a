# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What the pages link to exists, headings included."""

from __future__ import annotations

from pathlib import Path
import re

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path
    for pattern in ('*.md', 'docs/*.md', 'simulation/*.md', 'training/*.md')
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return re.sub(r'^```.*?^```', '', page.read_text(encoding='utf-8'), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """List the anchors that GitHub makes of the headings."""
    headings = re.findall(r'^#+ (.+)$', prose(page), re.MULTILINE)
    return {
        re.sub(r'[^\w\- ]', '', heading.replace('`', '')).strip().lower().replace(' ', '-')
        for heading in headings
    }


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith(('http://', 'https://', 'mailto:')):
            continue
        file, _, anchor = link.partition('#')
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link
