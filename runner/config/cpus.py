"""A list of CPUs as taskset and the kernel write it: ``0-3``, ``0,2``, ``0-1,4``."""

from __future__ import annotations

# Above the kernel's limit of 8192 CPUs, and low enough that a range does not fill the memory.
_HIGHEST = 65_535


def cpus_of(text: str) -> tuple[int, ...]:
    """The CPUs in ``text``, in order.

    Raises:
        ValueError: the text is not such a list.
    """
    listed = 0  # a bit for each CPU, so that a range that comes again and again is no work
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"{part!r} is neither a CPU's number nor a range of them")
        if int(last or first) > _HIGHEST:
            raise ValueError(f"{part!r} goes beyond any CPU there is")
        if dash and int(last) < int(first):
            raise ValueError(f"the range {part!r} runs backwards")
        listed |= (2 << int(last or first)) - (1 << int(first))
    return tuple(cpu for cpu, bit in enumerate(reversed(f"{listed:b}")) if bit == "1")


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
