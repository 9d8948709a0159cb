"""What can be known of a page without a browser: its links, images, ids and colours."""

import re
from html.parser import HTMLParser

SOURCES = {"src", "srcset", "poster", "data", "background"}
VOID = {"meta", "link", "img", "br", "hr", "input", "path", "rect", "circle"}


class Page(HTMLParser):
    """Collects the tags of a page; tags that do not close are an error."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data):
        if not self._open or self._open[-1] not in ("style", "script"):
            self.text.append(data)

    def of(self, *names: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag in names]

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def loaded_from_outside(html: str) -> list[str]:
    """Everything that the page would fetch: sources, style sheets, imports and urls of styles."""
    page = Page(html)
    found = [v for _, a in page.tags for k, v in a.items() if k in SOURCES and not v.startswith("data:")]
    found += [a["href"] for a in page.of("link") if not a.get("href", "").startswith("data:")]
    found += re.findall(r"@import[^;]+|url\((?!['\"]?data:|#)[^)]*\)", html)
    found += [tag for tag, _ in page.tags if tag in ("iframe", "object", "embed", "video", "audio")]
    return found


def palettes(html: str) -> dict[str, dict[str, str]]:
    """The colours of the light and the dark scheme, by name."""
    blocks = re.findall(r":root\s*\{(.*?)\}", html, flags=re.S)
    read = [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{6})", block)) for block in blocks]
    return {"light": read[0], "dark": {**read[0], **read[1]}, "print": {**read[0], **read[2]}}


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
