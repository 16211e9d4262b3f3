"""Tables, figures and pages of a study's results, from data frames alone."""

from reports.claim import Claim
from reports.figures.spec import FigureSpec
from reports.frames import ReportError, ReportFrames
from reports.read_data import is_data, read_data
from reports.report_data import ReportData
from reports.tables import Reproduction
from reports.write import ReportFiles, write_report

__all__ = [
    "Claim",
    "FigureSpec",
    "ReportData",
    "ReportError",
    "ReportFiles",
    "ReportFrames",
    "Reproduction",
    "is_data",
    "read_data",
    "write_report",
]
