"""A cascade of precisions: first order decides what is clear, then bfloat16, then float32; an audit looks at drafts."""
