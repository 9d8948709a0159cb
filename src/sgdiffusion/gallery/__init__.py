"""The page that shows a run: figures, verdicts, findings, assumptions; its numbers; the reference set."""
