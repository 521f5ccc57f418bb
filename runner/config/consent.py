"""What a record would have done when it is run again, which happens only where the user allows it: a record may be a stranger's.

Four kinds of things can be allowed: ``contact`` a server, ``write`` outside the folder of the run, ``import`` code, ``remove`` what was
written. What the user's own command line names needs no leave.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from runner.errors import ConfigurationError
from runner.secrets import masked, masked_override

Kind = Literal["contact", "write", "import", "remove"]
_UNASKED: Mapping[Kind, str] = {
    "contact": "is an address named by the record; nothing is sent there without permission",
    "write": "is a place named by the record; nothing is written there without permission",
    "import": "is code named by the record; it does not run without permission",
    "remove": "is what the record would remove; nothing is removed without permission",
}
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Demand:
    """One thing that a configuration would have done.

    Attributes:
        kind: what it would do.
        key: of the configuration, by which the user can name it.
        value: of the key, as shown.
        named_only: whether no leave covers it, because credentials could go there: the user has to name it.
    """

    kind: Kind
    key: str
    value: str
    named_only: bool = False

    def __str__(self) -> str:
        return f"{self.kind:<9}{masked_override(f'{self.key}={self.value}')}"


@dataclass
class Consent:
    """What the user allows a record.

    Attributes:
        verb: for messages, ``rerun`` or ``resume``.
        allowed: kinds of things.
        named: keys that the user's own words give.
        tell: shows a message.
    """

    verb: str
    allowed: frozenset[str]
    named: frozenset[str]
    tell: Callable[[str], None]
    _shown: set[str] = field(default_factory=set)

    def ask(self, demands: Sequence[Demand]) -> None:
        """Show what the record would have done, and refuse it where that is not allowed.

        Raises:
            ConfigurationError: something is neither allowed nor named.
        """
        asked = list(dict.fromkeys(one for one in demands if one.key not in self.named))
        lines = "\n".join(f"  {one}" for one in asked)
        refused = [one for one in asked if one.named_only or one.kind not in self.allowed]
        if refused:
            first = refused[0]
            kinds = dict.fromkeys(f"--allow {one.kind}" for one in refused if not one.named_only)
            again = dict.fromkeys(f"{one.key}=..." for one in refused)
            ways = " or ".join(filter(None, [" ".join(kinds), f"name it yourself: {' '.join(again)}"]))
            reason = f"{_UNASKED[first.kind]}. This is what the record would do:\n{lines}"
            raise ConfigurationError(first.key, masked(first.value), reason, f"if you trust it, {ways}")
        if lines and not self._shown.issuperset(lines.splitlines()):
            self._shown.update(lines.splitlines())
            self.tell(f"{self.verb}: the record does this, as you allow:\n{lines}")


_asking: list[Consent] = []


@contextlib.contextmanager
def asking(consent: Consent | None) -> Iterator[None]:
    """Ask for consent to what configurations demand meanwhile; None where they are the user's own."""
    if consent is None:
        yield
        return
    _asking.append(consent)
    try:
        yield
    finally:
        _asking.pop()


def ask_for(demands: Sequence[Demand]) -> None:
    """Refuse what is asked for now, unless it is the user's own or allowed.

    Raises:
        ConfigurationError: something is neither allowed nor named.
    """
    if _asking and demands:
        _asking[-1].ask(demands)
