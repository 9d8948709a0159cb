"""Where a number came from: the code, configuration, data, seeds and machine behind every output."""

from sgdiffusion.provenance.code import Code
from sgdiffusion.provenance.record import (
    Job,
    Record,
    flag_note,
    marks,
    read_record,
    record_path,
    substitute_note,
    write_record,
)

__all__ = [
    "Code",
    "Job",
    "Record",
    "flag_note",
    "marks",
    "read_record",
    "record_path",
    "substitute_note",
    "write_record",
]
