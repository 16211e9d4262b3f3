"""The scene of a finished cell as a file that other programs open."""
