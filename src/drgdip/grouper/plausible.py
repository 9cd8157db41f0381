"""Assumptions about synthetic cases: how frequent, how long and how dear a kind of group is."""

__all__ = ["COST", "KIND_SHARE", "STAY"]

#: Share of the cases by kind of ADRG.
KIND_SHARE = {"medical": 6.0, "surgical": 2.5, "procedure": 1.5, "ambiguous": 0.15, "ungroupable": 0.05}
#: Typical cost in yuan and stay in days by kind of ADRG.
COST = {
    "medical": 6500.0,
    "surgical": 24000.0,
    "procedure": 15000.0,
    "ambiguous": 18000.0,
    "ungroupable": 6000.0,
}
STAY = {"medical": 7.0, "surgical": 10.0, "procedure": 6.0, "ambiguous": 9.0, "ungroupable": 5.0}
