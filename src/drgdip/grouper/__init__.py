"""Schemes and the engines that group cases under them."""
