"""A figure as SVG for a page: small, its text still text, with what is needed to read values back from it.

The drawing's attribute `data-axes` lists its axes: frame in points, scale and limits in both directions, and
the region that the axes fill with their labels. The groups of the axes' lines and points carry the number of
the axes and the label of the series. With these a script finds the values under a pointer and cuts the
drawing into panels.
"""

import io
import json
import re
import unicodedata
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FuncFormatter
from matplotlib.transforms import Bbox

POINTS = 72.0  # an inch
SERIES = "series"  # begins the ids of what carries values
_NUMBER = re.compile(r"-?\d+\.\d+")
_ROUNDED = ("d", "x", "y", "width", "height", "transform", "points", "style", "viewBox")
# The font stands once, on the drawing. Verdana, for systems without DejaVu Sans, has nearly its widths; other
# fonts are narrower.
FONT = "'DejaVu Sans',Verdana,sans-serif"
_DEFAULTS = re.compile(r"(font-family: 'DejaVu Sans'(, sans-serif)?|text-anchor: start)(; |$)")


def svg(figure: Figure) -> str:
    """A figure that was laid out (see style.save) as SVG; its series and axes get the ids of the drawing."""
    labels = _name_series(figure)
    content = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    root = ET.fromstring(content.getvalue())
    _plain_names(root)
    _drop(root, ("metadata", "style"))
    _name_groups(root, labels)
    _smaller(root)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("data-axes", json.dumps([_described(a) for a in _shown(figure)], separators=(",", ":")))
    root.set("data-more", json.dumps([_region(a, figure) for a in _of_the_whole(figure)]))
    root.set("font-family", FONT)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def _shown(figure: Figure) -> list[Axes]:
    return [ax for ax in figure.axes if ax.get_visible() and ax.axison]


def _name_series(figure: Figure) -> dict[str, tuple[int, str]]:
    """Ids on lines and points that lie in data coordinates: id -> number of the axes, label."""
    found = {}
    for number, ax in enumerate(_shown(figure)):
        for error in (c for c in ax.containers if isinstance(c, ErrorbarContainer)):
            if error.lines[0] is not None:
                error.lines[0].set_label(error.get_label())
        drawn = [a for a in (*ax.lines, *ax.collections) if _has_values(a, ax)]
        for index, artist in enumerate(drawn):
            name, label = f"{SERIES}-{number}-{index}", str(artist.get_label())
            artist.set_gid(name)
            found[name] = (number, "" if label.startswith("_") else _words(label))
    return found


def _has_values(artist: Any, ax: Axes) -> bool:
    if isinstance(artist, PathCollection):
        return artist.get_offset_transform() == ax.transData
    return hasattr(artist, "get_xdata") and artist.get_transform() == ax.transData


def _words(text: str) -> str:
    """A label without the marks of formulas, on one line; Greek letters stay letters."""
    plain = re.sub(r"\\(mathrm|mathbf|hat|bar|dot|left|right)\b|[${}\u200b]", "", " ".join(text.split()))
    return re.sub(r"\\([A-Za-z]+)", lambda m: _letter(m[1]), plain).replace("\\", "")


def _letter(name: str) -> str:
    size = "SMALL" if name.islower() else "CAPITAL"
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")
    except KeyError:
        return name


def _described(ax: Axes) -> dict[str, Any]:
    """Frame and region in points from the upper left corner, and both directions."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    width, height = figure.get_size_inches() * POINTS
    frame = ax.get_position()
    return {
        "frame": _corners(frame.x0 * width, frame.x1 * width, frame.y0 * height, frame.y1 * height, height),
        "region": _region(ax, figure),
        "x": _direction(ax.xaxis, ax.get_xlim(), ax.get_xscale()),
        "y": _direction(ax.yaxis, ax.get_ylim(), ax.get_yscale()),
        "part": hasattr(ax, "_colorbar") or str(ax.get_label()).startswith("inset"),
        "alone": not _borrows_labels(ax),
    }


def _of_the_whole(figure: Figure) -> list[Artist]:
    """What stands beside all axes: legends of the figure and its title."""
    title = figure.get_suptitle()
    return [*figure.legends, *(t for t in figure.texts if title and t.get_text() == title)]


def _region(artist: Artist, figure: Figure) -> list[float]:
    """What it fills, labels included, in points from the upper left corner."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    found = artist.get_tightbbox(renderer) or Bbox.null()
    x0, y0, x1, y1 = (found.get_points() * POINTS / figure.dpi).ravel()
    return _corners(x0, x1, y0, y1, figure.get_size_inches()[1] * POINTS)


def _corners(x0: float, x1: float, y0: float, y1: float, height: float) -> list[float]:
    return [round(v, 1) for v in (x0, height - y1, x1, height - y0)]


def _borrows_labels(ax: Axes) -> bool:
    """Whether its vertical axis is labelled only at a neighbour."""
    return not any(label.get_visible() and label.get_text() for label in ax.get_yticklabels())


def _direction(axis: Axis, limits: tuple[float, float], scale: str) -> dict[str, Any]:
    labels = [_words(label.get_text()) for label in axis.get_ticklabels()]
    named = isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter)
    if named and any(c.isalpha() for label in labels for c in label):  # names, not numbers
        names = {f"{place:g}": label for place, label in zip(axis.get_ticklocs(), labels, strict=False)}
    else:
        names = {}
    low, high = (float(f"{v:.6g}") for v in limits)
    return {"scale": scale, "low": low, "high": high, "name": _words(axis.get_label_text()), "names": names}


def _plain_names(root: ET.Element) -> None:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {k.rpartition("}")[2]: v for k, v in element.attrib.items()}


def _drop(root: ET.Element, tags: tuple[str, ...]) -> None:
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag in tags]:
            parent.remove(child)


def _name_groups(root: ET.Element, labels: dict[str, tuple[int, str]]) -> None:
    """Series keep number of axes and label; other ids stay only where something refers to them."""
    text = ET.tostring(root, encoding="unicode")
    referred = {*re.findall(r'href="#([^"]+)"', text), *re.findall(r"url\(#([^)]+)\)", text)}
    for element in root.iter():
        name = element.get("id")
        if name in labels:
            number, label = labels[name]
            element.set("data-in", str(number))
            if label:
                element.set("data-label", label)
        if name is not None and name not in referred:
            del element.attrib["id"]


def _smaller(root: ET.Element) -> None:
    """Numbers to a hundredth of a point, no empty groups, one run of letters instead of letters."""
    for element in root.iter():
        for name in set(_ROUNDED) & set(element.attrib):
            element.set(
                name,
                _NUMBER.sub(lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), element.attrib[name]),
            )
        if "d" in element.attrib:
            element.set("d", re.sub(r"\s*([MLCQz])\s*", r"\1", " ".join(element.attrib["d"].split())))
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        if style := element.get("style"):
            element.set("style", re.sub(r"([:;])\s+", r"\1", _DEFAULTS.sub("", style)).rstrip(";"))
        if element.tag == "text":
            _join_letters(element)
        if element.text is not None and not element.text.strip() and element.tag != "tspan":
            element.text = None
        element.tail = None
    _style_once(root)
    _unwrap(root)


def _join_letters(text: ET.Element) -> None:
    """Neighbouring letters of one look and height become one run with a list of places."""
    former: ET.Element | None = None
    for letter in list(text):
        same = former is not None and all(former.get(k) == letter.get(k) for k in ("y", "style"))
        if same and former is not None and len(letter) == 0:
            former.set("x", f"{former.get('x')} {letter.get('x')}")
            former.text = (former.text or "") + (letter.text or "")
            text.remove(letter)
        else:
            former = letter


def _style_once(root: ET.Element) -> None:
    """A mark's copies keep no style that the mark itself has."""
    marks = {e.get("id"): e.get("style") for e in root.iter("path") if e.get("id")}
    for use in root.iter("use"):
        if use.get("style") == marks.get(use.get("href", "")[1:]):
            use.attrib.pop("style", None)


def _unwrap(parent: ET.Element) -> None:
    """Groups without attributes give place to their content."""
    children: list[ET.Element] = []
    for child in list(parent):
        _unwrap(child)
        children += list(child) if child.tag == "g" and not child.attrib else [child]
    parent[:] = children
