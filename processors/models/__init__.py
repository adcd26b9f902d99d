"""What a model is told to be: its configuration, and how several signals of an impression become one.

May import `groundswell` alone. Read first: `config.py`.
"""
