"""What a study leaves behind and how it is read: no tensor, no model, and all that an analysis may know of a study."""
