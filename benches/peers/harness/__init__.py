"""Headwater beside its peers: inputs, runs in turns, checks of equal results, tables."""
