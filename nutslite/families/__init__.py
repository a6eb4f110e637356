"""Families: one file per family, each a kernel and a record; see docs/adding_a_family.md.

They are in wings by what the response can be: `real`, `positive`, `proportions`, `counts`, `categories`. Further wings
have what families share: `derivatives` (of users' functions), `links`, `rows` (of a kernel), `user` (likelihoods of the
user's own) and `record` (`Family`, and how one is found).
"""
