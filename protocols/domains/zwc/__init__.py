"""zwc: a real library under random names, so that what a model knows of it can only come from learning it.

Source: SE-Bench (arXiv 2602.04811). Here NumPy (or any module) is served by a process of its own; the
package that a program imports holds neither NumPy nor the names' map.
"""
