"""Tables, figures and the page that show what a study measured, from data frames alone."""

from reports.figures.drawing import Drawing
from reports.frames import ReportError, ReportFrames
from reports.tables import Reproduction
from reports.write import Report, write_report

__all__ = ["Drawing", "Report", "ReportError", "ReportFrames", "Reproduction", "write_report"]
