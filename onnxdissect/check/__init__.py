"""The check: whether an exported model has kept what its baseline knew."""
