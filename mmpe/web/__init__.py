"""Web page for interactive use, served to this machine only.

It calls :mod:`mmpe.inference` and runs trainings of :mod:`mmpe.engine`, and
shows the command and the Python code that give the same results.
"""
