"""The experiments of the two IGL-P papers (ORSUM 2022, ICLR 2023) and harder ones, one a file."""
