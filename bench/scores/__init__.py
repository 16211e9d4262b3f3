"""From records to scores and data frames: what the stages ``score`` and ``report`` work on."""
