"""What lies on the topics, for people: policies and what they would do, messages that were refused.

May import `kafka` and what is below it. Read first: `published_policies.py`.
"""
