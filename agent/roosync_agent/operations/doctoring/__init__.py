"""`roosync doctor`: what is wrong, why it matters, and how it is mended. It only looks; `mending` writes.

    table      every check by name, what it looks at, and where it runs
    patient    what the checks of this computer look at: no fleet, no agent and no broker is needed
    examining  runs them, each bounded in time and apart: one that fails is a finding itself
    diagnosing both halves of it for a face, this computer and the fleet
    findings   what they answer

A check of this computer gets the `Patient` and runs in a thread; one of the fleet gets the `Machine`, in the resident
agent where one runs, and in a session of the command's own otherwise.
"""
