"""Forecast of the time, memory and disk of a study, before it is run."""
