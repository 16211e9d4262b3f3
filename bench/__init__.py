"""The harness: studies to cells, cells to records, records to scores and reports."""
