"""What is to be done: study files, their settings, and the cells that they expand into."""
