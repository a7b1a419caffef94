"""Roles of heads: which heads have them, whether they matter, which are left when heads are pruned."""

from analysis.roles.tables import AttentionOptions, HeadAttention, head_attention

__all__ = ["AttentionOptions", "HeadAttention", "head_attention"]
