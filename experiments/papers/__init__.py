"""The experiments of the two IGL-P papers (ORSUM 2022, ICLR 2023) and harder ones, one a file (`hard.py` has many).

May import `people` and `servers`. Read first: `experiments.py`, which lists and runs them; then `runs_and_bars.py`,
what one is, and `three_state.py`.
"""
