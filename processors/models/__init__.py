"""What a model is told to be: its configuration, and how several signals of an impression become one.

Imports nothing but `groundswell`. Read first: `config.py`.
"""
