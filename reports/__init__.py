"""Tables, figures and the page that show what a study measured, from data frames alone."""

from reports.frames import ReportError, ReportFrames
from reports.write import write_report

__all__ = ["ReportError", "ReportFrames", "write_report"]
