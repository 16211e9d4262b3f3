"""Files of a cell: its record, checkpoint and claim, each on disk whole or not at all."""
