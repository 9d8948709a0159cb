"""Python imports this first in every process of a traced run: notes which functions of ours a job calls.

Nothing here knows how digests are made: a function counts when its frame begins, outside of imports and of
the scripts' `_job.py`; a constant when a function that was called loads it as a global; a compiled function
when it has been compiled. The names go to a file of TRACE at the end of the job, with what the rule says.
"""

import atexit
import dis
import json
import os
import sys
import tempfile
import threading
from pathlib import Path

ENTRIES = ("function", "model", "arrays", "transform")
called = {}  # code -> its globals


def ours(path):
    return "/src/sgdiffusion/" in path or "/workflow/scripts/" in path


def begins(frame, event, _):
    code = frame.f_code
    if event == "call" and code not in called and ours(code.co_filename) and code.co_name != "<module>":
        back = frame
        while back is not None:
            name = back.f_code.co_filename
            if name.endswith("/_job.py") or name.startswith("<frozen importlib"):
                return
            back = back.f_back
        called[code] = frame.f_globals


def compiled():
    """Functions that numba has compiled in this process."""
    if "numba" not in sys.modules:
        return
    for name, module in list(sys.modules.items()):
        if name.startswith("sgdiffusion"):
            for value in vars(module).values():
                function = getattr(value, "py_func", None)
                if function is not None and getattr(value, "signatures", None):
                    called.setdefault(function.__code__, function.__globals__)


def place(code):
    """The file of a code, below src/ or beside the scripts."""
    return code.co_filename.rpartition("/src/" if "/src/" in code.co_filename else "/workflow/scripts/")[2]


def write():
    sys.settrace(None)
    compiled()
    job = vars(sys.modules["__main__"])["snakemake"]
    lines = sorted({(place(code), code.co_firstlineno) for code in called if ours(code.co_filename)})
    loads = {
        (place(code), instruction.argval)
        for code in called
        for instruction in dis.get_instructions(code)
        if instruction.opname == "LOAD_GLOBAL"
    }
    entries = [str(job.params.get(key)) for key in ENTRIES if job.params.get(key)]
    told = {
        "script": Path(sys.argv[0]).name.partition(".")[2],
        "entries": entries,
        "code": job.params.get("code"),
        "inputs": sorted(str(path) for path in job.input),
        "outputs": sorted(str(path) for path in job.output),
        "lines": lines,
        "loads": sorted(loads),
    }
    (Path(os.environ["TRACE"]) / f"{os.getpid()}.json").write_text(json.dumps(told))


if sys.argv and ".snakemake/scripts/" in sys.argv[0]:
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(dir=os.environ["TRACE"])  # so that all is compiled here
    threading.settrace(begins)
    sys.settrace(begins)
    atexit.register(write)
