"""`study attention`: what every head of a model looks at in one sentence."""
