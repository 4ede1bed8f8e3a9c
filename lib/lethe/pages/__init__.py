"""Pages: charts, results with their verdicts, and the build of the book. Never imports torch."""
