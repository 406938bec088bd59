"""`python -m roosync_agent` is `roosync`: how the supervisor starts its children on every system."""

from roosync_agent.cli.main import main

if __name__ == "__main__":
    main()
