"""The one client of AWS: guarded, bounded, counted; tags, policies and refusals as values."""
