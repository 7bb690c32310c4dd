"""The client of AWS: the services, every call counted, guarded and translated, policies as values."""
