"""A forger of ledger exports: honest stories, and stories with one lie each (see README.md)."""
