"""Evidence on a record: its files, its earlier versions, its certificate and AWS, since no record proves itself."""
