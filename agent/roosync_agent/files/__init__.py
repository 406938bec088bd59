"""The one door to the user's files: the disk, its dry-run twin, and what a file name may be."""
