"""The experiments of the two IGL-P papers (ORSUM 2022, ICLR 2023) and harder ones, one a file (`hard.py` has many).

May import `people` and `servers`. Read first: `experiment.py`, what one is; then `three_state.py`.
"""
