"""A page in the browser, on this machine alone, for all that is done by hand.

What it does are calls of :mod:`mmpe.inference` and trainings of
:mod:`mmpe.engine`; for each it shows the command and the Python that do the
same.
"""
