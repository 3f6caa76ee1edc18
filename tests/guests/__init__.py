"""The main job in guests of other kernels and of another architecture: too long for every run of the tests, see ``__main__``."""
