"""Whether the values of a typed configuration are within their rules, and agree with each other and with this host."""

from __future__ import annotations

import dataclasses
from typing import Any

from runner.config.cpus import as_text, cpus_of
from runner.config.fields import Rule
from runner.config.messages import accepted_by
from runner.config.metrics import CONSUMER_METRICS
from runner.config.options import Config, NoConsumer, Skip
from runner.config.plain import plain
from runner.config.registry import GROUPS
from runner.errors import ConfigurationError
from runner.host.affinity import allowed_cpus


def check_rules(config: Config) -> None:
    """Check every rule.

    Raises:
        ConfigurationError: a value is outside its rule, or at odds with another or with this host.
    """
    _check_rules(config, "")
    for group in GROUPS:
        getattr(config, group).check(config)
    _check_objectives(config)
    if config.skip is not Skip.none and not config.mode.can_skip:
        reason = f"leaves out stages that are one graph in mode={config.mode.name}"
        raise ConfigurationError("skip", config.skip.value, reason, "skip=none, or another mode")
    if config.skip is not Skip.none and config.protocol.race:
        raise ConfigurationError(
            "skip",
            config.skip.value,
            "makes points that cannot be taken, which is what a race is about",
            "skip=none, or protocol=standard",
        )
    _check_environment(config)
    if config.affinity is not None:
        _check_affinity(config.affinity)


def _check_objectives(config: Config) -> None:
    given = config.objective if isinstance(config.objective, str) else f"[{','.join(map(str, config.objectives))}]"
    if len(set(config.objectives)) < max(1, len(config.objectives)):
        reason = "names a metric twice" if config.objectives else "names none"
        raise ConfigurationError(
            "objective", given, reason, "a metric, or a list of different ones: [images_per_s,peak_memory_mb]"
        )
    if isinstance(config.consumer, NoConsumer) and (fed := [one for one in config.objectives if one in CONSUMER_METRICS]):
        raise ConfigurationError("objective", fed[0], "is measured only where there is a consumer", "consumer=emulated")


def _check_environment(config: Config) -> None:
    """Refuse another interpreter or another commit where they would not be what is measured."""
    for key, value in (("python", config.python), ("code", config.code)):
        if value is not None and config.mode.name == "ray":
            raise ConfigurationError(key, value, "has no effect on the workers of a Ray cluster", "another mode")
        if value is not None and not value.strip():
            raise ConfigurationError(key, value, "is empty", "null, which is the default")
    if config.code is not None and "function" not in {config.task.name, config.consumer.name}:
        reason = "is about functions of your own, and there is none"
        raise ConfigurationError("code", config.code, reason, "task=function or consumer=function with it")


def _check_rules(node: Any, prefix: str) -> None:
    for spec in dataclasses.fields(node):
        key, value = f"{prefix}{spec.name}", getattr(node, spec.name)
        if dataclasses.is_dataclass(value):
            _check_rules(value, f"{key}.")
            continue
        rule: Rule | None = spec.metadata.get("rule")
        if rule is not None and rule.broken_by(value):
            wrong = next((part for part in value if rule.broken_by(part)), value) if isinstance(value, list) else value
            raise ConfigurationError(key, plain(wrong), "is out of range", accepted_by(node, spec.name))


def _check_affinity(text: str) -> None:
    allowed = allowed_cpus()
    if allowed is None:
        raise ConfigurationError("affinity", text, "cannot be set on this system", "null")
    accepted = f"a list of CPUs out of {as_text(allowed)}, such as {as_text(allowed[:2])} or '{allowed[0]},{allowed[-1]}'"
    try:
        wanted = cpus_of(text)
    except ValueError as error:
        raise ConfigurationError("affinity", text, str(error), accepted) from None
    if missing := sorted(set(wanted) - set(allowed)):
        raise ConfigurationError("affinity", text, f"this program may not use CPU {as_text(tuple(missing))}", accepted)
