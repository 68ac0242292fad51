"""What several tests need: small networks, small data sets, and helpers that read outputs."""
