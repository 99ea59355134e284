"""The inputs' sizes. README.md has who each one stands for."""

from .inputs import Payments, Risk, Trading

SIZES = {
    "full": {
        "A1": Trading(1_000_000, 2_000, 2_000, 500, 40, 10_000, 0, 500),
        "A2": Trading(100_000, 100_000, 2_000, 500, 40, 20_000, 1, 201),
        "Bu": Payments(1_000_000, 50_000),
        "var": Risk(1_000, 500, 50, 252, one_steps=1_000, all_steps=20),
        "book": 1_000_000,
    },
    "tenth": {
        "A1": Trading(100_000, 2_000, 2_000, 500, 40, 1_000, 0, 50),
        "A2": Trading(100_000, 100_000, 2_000, 500, 40, 2_000, 1, 21),
        "Bu": Payments(100_000, 5_000),
        "var": Risk(1_000, 500, 50, 252, one_steps=100, all_steps=4),
        "book": 100_000,
    },
    "quick": {
        "A1": Trading(10_000, 2_000, 200, 50, 20, 200, 0, 5),
        "A2": Trading(4_000, 4_000, 200, 50, 20, 400, 1, 5),
        "Bu": Payments(10_000, 500),
        "var": Risk(100, 100, 25, 252, one_steps=20, all_steps=4),
        "book": 50_000,
    },
}

# How often a statement runs in a session.
STATEMENTS = {"full": 20, "tenth": 10, "quick": 3}
