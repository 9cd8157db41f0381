"""The family of DIP catalogues."""
