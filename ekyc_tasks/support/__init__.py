"""What every room may use: files written whole, sentences without personal data, time, words.

Begin with `atomic_files`, by which every file of the data folder comes to be, and `safe_errors`, the one map
from exceptions to sentences. May import `errors` alone.
"""
