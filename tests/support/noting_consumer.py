"""The consumer of ``numbered_task``, in a module of its own, as a consumer's is."""

from support.numbered_task import NotingConsumer

PROVIDES = NotingConsumer
