"""The page of one sentence: what every head looks at in it."""
