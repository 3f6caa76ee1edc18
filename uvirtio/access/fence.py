"""Memory fences between the driver and a device that runs on another CPU (virtio 1.4, 2.7.13.3, 2.7.14, 2.8.21, 2.8.22).

x86 keeps stores in order and loads in order, so only one place needs a fence: between the store of an index and the
load of the field by which the device says whether it wants to be notified. Acquiring and releasing a lock is a locked instruction there, a
full fence, and cheaper than a call through ctypes.

arm64 keeps nothing in order that it need not. There each of these takes a fence as well: before the store that makes buffers
the device's, after the load that shows used ones, before a register that makes the device look and after one that says
what it has done. A lock is no full fence there, and membarrier returns early in a process with one thread; what serves is a
function of two instructions in memory of our own, or libatomic's.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
from threading import Lock

from ..errors import CannotRun

__all__ = ["ordering_fence", "store_load_fence", "unfit_cpu"]

_X86 = ("x86_64", "AMD64", "i686", "i386")
_ARM64 = ("aarch64", "arm64")

#: ``dmb sy``, which orders registers too, and ``ret``.
_CODE = bytes.fromhex("bf3f03d5 c0035fd6")
_PROT_READ_EXEC, _MAP_PRIVATE = 1 | 4, 2
_SEQ_CST = 5
"""``__ATOMIC_SEQ_CST``."""


def unfit_cpu() -> str:
    """Why no device can be driven on this machine's CPU; empty where it can."""
    machine = platform.machine()
    if machine in _X86:
        return ""
    if machine in _ARM64:
        return "" if _function() is not None else _NOTHING_FITS
    if machine == "riscv64":
        return (
            "on riscv64 the compilers of Python split an access to a register into single bytes: a device would see "
            "others than were meant; uvirtio drives devices on x86 and arm64"
        )
    return f"no memory fence is known for {machine}: rings would race with the device; uvirtio drives devices on x86 and arm64"


_NOTHING_FITS = (
    "no memory fence can be had: this system allows no executable memory, and libatomic is not installed (Debian: apt "
    "install libatomic1)"
)


def store_load_fence() -> Callable[[], object]:
    """A function that keeps earlier stores before later loads. Raises :class:`CannotRun` on a CPU without one here."""
    if why := unfit_cpu():
        raise CannotRun(why)
    if platform.machine() in _ARM64:
        function = _function()
        assert function is not None
        return function
    lock = Lock()
    acquire, release = lock.acquire, lock.release

    def fence() -> None:
        acquire()
        release()

    return fence


@cache
def ordering_fence() -> Callable[[], object] | None:
    """A function that keeps all accesses before it before those after it; None where the CPU keeps stores among each other and
    loads among each other in order by itself, or where no device can be driven.
    """
    return _function() if platform.machine() in _ARM64 else None


@cache
def _function() -> Callable[[], object] | None:
    return _mapped_function() or _of_libatomic()


def _mapped_function() -> Callable[[], object] | None:
    """Two instructions in memory that can be run: written into a file, so that the kernel tells the instruction cache."""
    import ctypes
    import mmap
    import os

    try:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.memfd_create("uvirtio-fence")
    except OSError:
        return None
    try:
        os.write(descriptor, _CODE)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
        place = libc.mmap(None, mmap.PAGESIZE, _PROT_READ_EXEC, _MAP_PRIVATE, descriptor, 0)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if place is None or place == ctypes.c_void_p(-1).value:
        return None
    # It holds on to the interpreter's lock: a call that gives it up costs ten times as much.
    return ctypes.PYFUNCTYPE(None)(place)


def _of_libatomic() -> Callable[[], object] | None:
    import ctypes
    from functools import partial

    try:
        fence = ctypes.PyDLL("libatomic.so.1").atomic_thread_fence
    except (OSError, AttributeError):
        return None
    fence.argtypes, fence.restype = [ctypes.c_int], None
    return partial(fence, _SEQ_CST)
