"""The features of a batch's contexts, put together from those of their members."""

from __future__ import annotations

from processors.compiled import borrowing
from processors.features.crosses import cross


@borrowing
def sort_members(numbers, begin, end, names, ranks):
    """Bring the members [begin, end) of a context into the order of their names; return whether it is a context.

    It is not where the name of a member is -1, or two have the same. Most contexts have a few members, already in
    order or nearly so, and some a thousand: Shell's sort is quick with both, and needs no room.
    """
    for i in range(begin, end):
        if names[numbers[i]] < 0:
            return False
    gap = 1
    while 3 * gap + 1 < end - begin:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(begin + gap, end):
            number = numbers[i]
            rank = ranks[names[number]]
            j = i
            while j >= begin + gap and ranks[names[numbers[j - gap]]] > rank:
                numbers[j] = numbers[j - gap]
                j -= gap
            numbers[j] = number
        gap //= 3
    different = True
    for i in range(begin + 1, end):
        different &= names[numbers[i]] != names[numbers[i - 1]]
    return different


@borrowing
def context_rows(member_start, numbers, names, ranks, hashes, values, constant, crossed, fine, start, keys, amounts):
    """Write the features of contexts, of whose members `numbers` are given, as rows;
    `groundswell.features.context_features` is the same for one in Python.

    Of members `names` are the numbers of their names (-1 is none), `ranks` by name their order. `fine[i]` becomes false
    where i is no context; where it is or becomes false the row is empty.
    """
    n = 0
    start[0] = 0
    for i in range(len(fine)):
        begin, end = member_start[i], member_start[i + 1]
        fine[i] = fine[i] and sort_members(numbers, begin, end, names, ranks)
        if fine[i]:
            keys[n], amounts[n] = constant, 1.0
            n += 1
            first = n
            for m in range(begin, end):
                if values[numbers[m]] != 0.0:
                    keys[n], amounts[n] = hashes[numbers[m]], values[numbers[m]]
                    n += 1
            if crossed[i]:
                last = n
                for g in range(first, last):
                    for h in range(g + 1, last):
                        keys[n], amounts[n] = cross(keys[g], keys[h]), amounts[g] * amounts[h]
                        n += 1
        start[i + 1] = n
