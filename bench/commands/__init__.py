"""The commands of ``sdibench``, one file each, and what only one of them uses."""
