"""Fleets in simulated time: the product's own code on the bus in memory, under one seed (`benchmarks/simulate.py`).

    loop      an event loop whose time is a number, and which can stop a process between any two of its steps
    network   the bus in memory, with loss, doubles, delay, late posts, replays and forgeries
    node      one machine: a real Agent over a disk in memory that outlives its crashes
    people    the operator: a real session that starts cycles, answers, publishes, after random delays
    oracle    what must hold at every message, every write and at the end, judged without the code under test
    agreed    what the operator made law, worked out a second time
    troubles  what goes wrong, chosen by the seed
    world     one seed: who takes part, when the troubles begin and stop, and that they did
    bugs      planted bugs, which the oracle has to find

A seed decides everything: chance comes from one generator, time from the loop, and no thread runs.
"""
