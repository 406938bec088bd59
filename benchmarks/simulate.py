"""Simulated fleets under seeds."""
import sys, time
from simulation.world import World
if __name__ == "__main__":
    a,b=int(sys.argv[1]),int(sys.argv[2])
    tracing="--trace" in sys.argv
    for seed in range(a,b):
        t=time.time(); w=World(seed,tracing=tracing); w.run()
        print(seed, f"{time.time()-t:.2f}s virtual {w.loop.time()-1000:.0f} steps {w.loop.steps}", w.fingerprint, dict(w.count), dict(w.net.faults), w.oracle.violations[:2], flush=True)
