"""What machines do together: cycles, requests, and whether they are there."""
