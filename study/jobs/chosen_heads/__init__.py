"""Heads of the model that a training starts from, chosen by an order before the first step: kept, or freed."""
