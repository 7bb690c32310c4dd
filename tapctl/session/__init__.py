"""Sessions: from an invocation to an environment whose files, account and record are opened and checked."""
