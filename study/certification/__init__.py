"""Proof, on the loaded model, that masking a head does what it says."""
