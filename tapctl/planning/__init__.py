"""Planning: all that is read, checked, permitted and approved before the first change of an apply or a destroy."""
