"""Which interval is tried in which world, and in how many experiments (the coverage table)."""

from worlds import World

FEW, SIX, TEN, TWENTY = (
    World(seeds=3, samples=200),
    World(seeds=6),
    World(seeds=10),
    World(seeds=20),
)
UNLIKE = World(seeds=10, seed=0.5)
UNLIKE_SIX, UNLIKE_MANY = World(seeds=6, seed=0.5), World(seeds=6, samples=2000, seed=0.5)
FAMILIES = World(seeds=10, samples=1000, family=20)
SERIAL, LAPSE = World(seeds=10, process="serial"), World(seeds=10, process="lapse_relearn")

REGIMES = [  # interval, world, experiments
    *[("Spearman of two seeds", world, 200) for world in (FEW, SIX, TEN, TWENTY)],
    ("Spearman of two seeds", World(seeds=10, samples=2000), 200),
    *[("Spearman of two seeds", world, 200) for world in (UNLIKE, UNLIKE_MANY, SERIAL, LAPSE)],
    ("Spearman of two seeds", World(seeds=10, seed=1.5), 200),
    ("Spearman of two seeds", FAMILIES, 200),
    ("Spearman, families redrawn", FAMILIES, 200),
    ("Spearman, images redrawn only", UNLIKE_MANY, 200),
    ("Spearman, images redrawn only", World(seeds=10, seed=1.5), 200),
    ("Spearman of forgetting events", TEN, 200),
    *[("Jaccard, top 10 %", world, 200) for world in (FEW, SIX, TEN, UNLIKE_MANY)],
    *[("between networks", world, 200) for world in (SIX, UNLIKE, LAPSE)],
    *[("between networks, averaged", world, 200) for world in (SIX, UNLIKE)],
    *[("early score", world, 200) for world in (SIX, UNLIKE)],
    *[("mean retention", world, 400) for world in (FEW, SIX, UNLIKE_SIX, UNLIKE)],
    ("mean R2", World(seeds=6, samples=200), 100),
    *[("time to first forgetting", world, 100) for world in (SIX, UNLIKE)],
]

RATES = [  # worlds of the likelihood interval of one image's rate
    World(seeds=1, samples=2000, rest=0),
    World(seeds=10, samples=2000, rest=0),
    World(seeds=1, samples=2000, rest=0, epochs=61),
    World(seeds=1, samples=2000, rest=0, process="serial"),
    World(seeds=10, samples=2000, rest=0, process="serial"),
    World(seeds=10, samples=1000, rest=0, process="lapse_relearn"),
    World(seeds=10, samples=1000, rest=0.5),
]
