"""What compiled code asks of memory and numpy has no words for, and texts compared by it."""

from __future__ import annotations

from typing import Final

import numpy as np
from llvmlite import ir
from numba import types, uint64
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from processors.compiled import borrowing

WORD: Final = 8
"""Bytes of a word: where words are looked at, so many lie behind the last byte that counts."""
_LOW_BITS, _HIGH_BITS = 0x0101010101010101, 0x8080808080808080
_READ, _KEEP, _DATA = 0, 3, 1
"""How LLVM names that it is to be read, to stay in all caches, and no instructions."""


@intrinsic
def word_at(_context, data, place):
    """Return the eight bytes that begin at a place, as the number that they are to this machine."""

    def code(context, builder, signature, arguments):
        begin = make_array(signature.args[0])(context, builder, arguments[0]).data
        word = builder.bitcast(builder.gep(begin, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(word, align=1)

    return uint64(data, place), code


@borrowing
def zeros_in(word):
    """Return a word in which the highest bit of a byte says that there is a zero, up to the first (Mycroft 1987)."""
    return (word - np.uint64(_LOW_BITS)) & ~word & np.uint64(_HIGH_BITS)


@borrowing
def bytes_below(bit):
    """Return how many bytes of a word lie below the lowest one whose highest bit is set, and a mask of them."""
    mask = ((bit & (~bit + np.uint64(1))) >> np.uint64(7)) - np.uint64(1)
    return np.int64(((mask & np.uint64(_LOW_BITS)) * np.uint64(_LOW_BITS)) >> np.uint64(56)), mask


@borrowing
def last_word(whole, begin, end):
    """Return what is left of a text of which fewer than eight bytes are left, the rest zeros."""
    if begin == end:
        return np.uint64(0)
    return word_at(whole, begin) & (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * (end - begin)))


@borrowing
def same(whole, begin, end, texts, text_begin, text_end):
    """Return whether two texts are the same."""
    if end - begin != text_end - text_begin:
        return False
    while end - begin >= WORD:
        if word_at(whole, begin) != word_at(texts, text_begin):
            return False
        begin, text_begin = begin + WORD, text_begin + WORD
    return last_word(whole, begin, end) == last_word(texts, text_begin, text_end)


@intrinsic
def fetch_ahead(_context, table, row):
    """Have the first cache line of a row of a table come nearer, without waiting for it. It changes nothing else."""

    def code(context, builder, signature, arguments):
        whole = make_array(signature.args[0])(context, builder, arguments[0])
        stride = cgutils.unpack_tuple(builder, whole.strides)[0]
        address = builder.add(builder.ptrtoint(whole.data, ir.IntType(64)), builder.mul(arguments[1], stride))
        line, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [line, number, number, number])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(fetch, [builder.inttoptr(address, line), *(number(how) for how in (_READ, _KEEP, _DATA))])
        return context.get_dummy_value()

    return types.none(table, row), code
