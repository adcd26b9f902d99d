"""How functions are compiled, and when what was compiled before may be taken from the disk.

Numba looks only at the file of a function to tell whether what it has kept of it still holds. Of one that calls
compiled functions of another file it would load a stale result, without a word, once that file was edited or another
version checked out. Here what was kept holds only while all that was compiled into it is the same: the code and the
options of every compiled function that is reached from it, and the values of what they read from their modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, cast

import numpy as np
from numba import njit, types
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

Function = Callable[..., Any]

_PLAIN: Final = (bool, int, float, complex, str, bytes, type(None), type(...), np.generic, np.dtype, types.Type)


def compiled(**options: Any) -> Callable[[Function], Any]:
    """Return a decorator that compiles a function with these options of `numba.njit`, and keeps the result on disk.

    Use it for every function that is kept, also for those that call none of another file now.
    """

    def decorate(function: Function) -> Any:
        dispatcher = njit(**options)(function)
        if isinstance(dispatcher, Dispatcher):  # it is not where numba was told to compile nothing
            cast(Any, dispatcher)._cache = _Kept(function)
        return dispatcher

    return decorate


borrowing = compiled(_nrt=False)
"""Compiles what allocates nothing. Its arrays are borrowed from the caller: without counting references to them, which
numba does atomically and at every turn, a step takes a third less."""


def digest_of(function: Function) -> str:
    """Return a digest of all that is compiled into a function.

    It is of what is in memory, as it is what gets compiled, whatever the files hold by now. Raises `TypeError` where a
    function reads something of which it is not known how to tell whether it is the same.
    """
    whole, reached = sha256(), [function]
    for one in reached:
        code = one.__code__
        whole.update(repr((one.__module__, one.__qualname__, _told(code), _told(one.__defaults__))).encode())
        for name, value in _read(one):
            if isinstance(value, Dispatcher):
                whole.update(repr((name, sorted(value.targetoptions.items()))).encode())
                if value.py_func not in reached:
                    reached.append(value.py_func)
            else:
                try:
                    whole.update(repr((name, _told(value))).encode())
                except TypeError as error:
                    raise TypeError(f"{one.__module__}.{one.__qualname__} reads `{name}`: {error}") from error
    return whole.hexdigest()


class _Kept(FunctionCache):  # type: ignore[misc]  # numba ships no types
    """What was compiled of a function, found again by all that was compiled into it as well.

    It leans on numba's own key by which it finds what it has kept; a test fails where a new version has none.
    """

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return *super()._index_key(sig, codegen), digest_of(self._py_func)


def _read(function: Function) -> Iterator[tuple[str, Any]]:
    """Yield what a function reads from around it and, of modules, whatever goes by a name that it mentions."""
    names = sorted({name for code in _codes(function.__code__) for name in code.co_names})
    cells = function.__closure__ or ()
    around = {name: cell.cell_contents for name, cell in zip(function.__code__.co_freevars, cells, strict=True)}
    around |= {name: function.__globals__[name] for name in names if name in function.__globals__}
    modules = []
    for name, value in around.items():
        if isinstance(value, ModuleType):
            modules.append(value)
        else:
            yield name, value
    for module in modules:
        for name in names:
            value = getattr(module, name, None)
            if isinstance(value, ModuleType) and value not in modules:
                modules.append(value)
            elif value is not None and not isinstance(value, ModuleType):
                yield f"{module.__name__}.{name}", value


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _told(value: Any) -> Any:
    """Return what tells a value from others, the same in every process."""
    if isinstance(value, _PLAIN):
        return type(value).__name__, repr(value)
    if isinstance(value, tuple | frozenset):
        told = [_told(one) for one in value]
        return told if isinstance(value, tuple) else sorted(told, key=repr)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, CodeType):
        constants = [_told(constant) for constant in value.co_consts]
        return value.co_code, constants, value.co_names, value.co_varnames, value.co_freevars
    if callable(value):
        function = getattr(value, "_defn", value)  # of an intrinsic
        named = getattr(function, "__module__", ""), function.__name__
        return (*named, _told(function.__code__)) if isinstance(function, FunctionType) else named
    raise TypeError(f"it is not known how to tell one {type(value).__qualname__} from another")
