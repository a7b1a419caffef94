"""Tables of heads made elsewhere, read and correlated without outcomes."""
