"""Which attention heads does a trained transformer need? Masks heads and measures what that costs."""
