"""Forms of a response: calls left of ``~``, such as ``p(y, n)``, that say what else there is to know of each row.

`form.py` says what a form is, `register.py` lists those that there are.
"""
