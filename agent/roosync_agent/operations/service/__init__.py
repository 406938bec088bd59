"""`roosync up` at login, by the system's own manager of services: what is written, and what that manager is asked."""
