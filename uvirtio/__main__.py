"""``python -m uvirtio``: the command line, from an installation or from a bare checkout."""

# What is imported before the path is set right has been loaded with the interpreter: nothing is looked up for it.
import os
import sys


def _main() -> int:
    # `python -m` looks into the current directory first, which anybody may be able to write to. A checkout brings its
    # own rooms, whatever version is installed beside it.
    root = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    if not sys.flags.safe_path:
        del sys.path[:1]
    if os.path.isdir(os.path.join(root, "tools", "uvirtio_tools")):
        sys.path[:0] = [root, os.path.join(root, "tools"), os.path.join(root, "drivers")]
    from uvirtio_tools.entry import main

    return main()


if __name__ == "__main__":
    sys.exit(_main())
