"""The tables of a report, from frames to the table model, one file per table."""

from reports.tables.all_tables import all_tables
from reports.tables.measured import Measured
from reports.tables.published import Reproduction

__all__ = ["Measured", "Reproduction", "all_tables"]
