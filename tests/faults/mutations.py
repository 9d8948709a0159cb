"""Makes hostile input of valid input: damaged bytes, damaged content in whole containers, hostile scalars."""

import gzip
import io
import random
import re
import warnings
import zipfile

NUMBERS = (b"\x00" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\xff" * 7 + b"\x7f", b"\x80" + b"\x00" * 7)
SCALARS = (
    "!!python/object/apply:os.system ['touch hostile']",
    "!!python/name:os.system",
    "!!binary x",
    "!!timestamp never",
    "!!int none",
    "!!set {a, b}",
    "2024-13-45",
    "2024-01-01",
    "1" * 5000,
    "-1e400",
    ".nan",
    ".inf",
    "0x",
    "0o9",
    "1:60:60",
    "&a [*a]",
    "*unknown",
    "[]",
    "{}",
    "~",
    "yes",
    "''",
    "[1, [2, {a: b}]]",
    "{? [a] : b}",
    "<<",
    "é\u202e",
    "\x00",
    '"\\ud800"',
    "[" * 500,
    "{a: " * 500,
    "../../../etc/passwd",
    "a/b/c",
    "kind",
)
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]\n" for i in range(1, 12)
)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """One to four changes at random places."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        to = min(len(changed), at + chance.choice([1, 2, 4, 8, 64, 512]))
        match chance.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at:to]
            case 2:
                changed[at:at] = changed[at:to]
            case 3:
                changed[at:at] = chance.randbytes(chance.choice([1, 4, 64]))
            case 4:
                number = chance.choice(NUMBERS)[: chance.choice([1, 2, 4, 8])]
                changed[at : at + len(number)] = number
            case 5 if chance.random() < 0.3:
                del changed[at:]
    return bytes(changed)


def regzipped(content: bytes, chance: random.Random) -> bytes:
    """A whole gzip file of damaged content; sometimes content that goes on for 64 MB."""
    inner = damaged(gzip.decompress(content), chance)
    if chance.random() < 0.001:
        inner += bytes(64 << 20)
    return gzip.compress(inner, 1)


def rezipped(content: bytes, chance: random.Random) -> bytes:
    """A whole zip of which one member is damaged, renamed, doubled, or unpacks to 64 MB."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at = chance.randrange(len(members))
    name, inner = members[at]
    changes = [(name, damaged(inner, chance))] * 6 + [(damaged(name.encode(), chance).decode("cp437"), inner)]
    members[at] = chance.choice(changes)
    if chance.random() < 0.001:
        members[at] = (name, inner + bytes(64 << 20))
    elif chance.random() < 0.1:
        members.append(members[at])
    buffer = io.BytesIO()
    warnings.simplefilter("ignore")  # zipfile tells of doubled names
    kind = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(buffer, "w", kind, compresslevel=1) as archive:
        for name, inner in members:
            archive.writestr(name.partition("\0")[0] or "x", inner)
    return buffer.getvalue()


def rescaled(content: bytes, chance: random.Random) -> bytes:
    """A text in which a scalar is another, a line is gone, doubled or indented, or some bytes changed."""
    lines = content.decode().splitlines(keepends=True)
    at = chance.randrange(len(lines))
    match chance.randrange(8):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines[at] = " " * chance.randint(1, 4) + lines[at]
        case 3:
            return damaged(content, chance)
        case 4 if chance.random() < 0.05:
            return BOMB.encode() + content
        case _:
            scalars = list(re.finditer(r"[\w.+-]+|\"[^\"]*\"", lines[at]))
            if scalars:
                found, new = chance.choice(scalars), chance.choice(SCALARS)
                lines[at] = lines[at][: found.start()] + new + lines[at][found.end() :]
    return "".join(lines).encode("utf-8", "surrogatepass")
