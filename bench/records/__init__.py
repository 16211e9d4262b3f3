"""What a cell leaves behind: its record, checkpoint and claim, each on disk whole or not at all."""
