"""The harness: study → cells → records → scores → report.  The only package that imports the others."""
