"""The family of DRG schemes."""
