"""A list of CPUs as taskset and the kernel write it: ``0-3``, ``0,2``, ``0-1,4``."""

from __future__ import annotations

# Above the kernel's limit of 8192 CPUs, and low enough that a range does not fill the memory.
_HIGHEST = 65_535


def cpus_of(text: str) -> tuple[int, ...]:
    """The CPUs in ``text``, in order.

    Raises:
        ValueError: the text is not such a list.
    """
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"{part!r} is neither a CPU's number nor a range of them")
        if dash and int(last) < int(first):
            raise ValueError(f"the range {part!r} runs backwards")
        if int(last or first) > _HIGHEST:
            raise ValueError(f"{part!r} is higher than the number of any CPU")
        numbers.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(numbers))


def as_text(cpus: tuple[int, ...]) -> str:
    """These CPUs in the shortest form."""
    parts: list[str] = []
    start = previous = None
    for cpu in (*cpus, None):
        if previous is not None and cpu is not None and cpu == previous + 1:
            previous = cpu
            continue
        if start is not None:
            parts.append(str(start) if start == previous else f"{start}-{previous}")
        start = previous = cpu
    return ",".join(parts)
