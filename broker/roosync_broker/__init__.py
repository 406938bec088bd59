"""NATS, and only here: the link, records, contents, leases, the embedded server and its keeper."""
