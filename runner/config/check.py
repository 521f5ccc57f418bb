"""From a composed configuration to a typed one, or to a message that says what is wrong with it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from enum import Enum
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from runner.config.cpus import as_text, cpus_of
from runner.config.explain import accepted_by, unknown_key
from runner.config.fields import Rule
from runner.config.options import (
    Config,
    FilesOption,
    ProcessOption,
    Ray,
    ServedOption,
    SinkOption,
    SourceOption,
    SyntheticProcess,
    ToFile,
    ToHttp,
    Url,
)
from runner.config.tasks import check_task
from runner.errors import ConfigurationError
from runner.host.affinity import allowed_cpus
from runner.secrets import MASK, is_secret, masked

# What does not change what is measured, and so does not make another configuration.
_NOT_HASHED = ("tracking", "baseline", "objective", "compare_hosts", "fail_fast", "resume")


def typed(composed: DictConfig) -> Config:
    """The typed configuration in ``composed``, with every rule checked.

    Raises:
        ConfigurationError: a value is missing, outside its rule, or at odds with another.
        OmegaConfBaseException: a value refers to another that is not there.
    """
    try:
        _refuse_unknown(composed, "")
        config = OmegaConf.to_object(composed)
    except MissingMandatoryValue as error:
        key = error.full_key or "?"
        raise ConfigurationError(key, None, "must be given", accepted_by(composed, key)) from error
    if not isinstance(config, Config):
        raise ConfigurationError("config", type(config).__name__, "is not this program's configuration", "conf/config.yaml")
    _check_rules(config, "")
    _check_together(config)
    return config


def checked_hydra(composed: DictConfig) -> None:
    """Refuse settings of Hydra's own under which records would land in odd places.

    Raises:
        ConfigurationError: there is such a setting.
    """
    if composed.hydra.job.chdir:
        raise ConfigurationError("hydra.job.chdir", True, "would move every relative path", "false")  # noqa: FBT003


def _refuse_unknown(node: DictConfig, prefix: str) -> None:
    """Refuse what ``+key=value`` has added: Hydra lets it past the schema."""
    owner = OmegaConf.get_type(node)
    for key in node:
        name = str(key)
        if dataclasses.is_dataclass(owner) and name not in {spec.name for spec in dataclasses.fields(owner)}:
            raise unknown_key(f"{prefix}{name}", node[key], owner)
        if not OmegaConf.is_missing(node, key) and isinstance(node[key], DictConfig):
            _refuse_unknown(node[key], f"{prefix}{name}.")


def _check_rules(node: Any, prefix: str) -> None:
    for spec in dataclasses.fields(node):
        key, value = f"{prefix}{spec.name}", getattr(node, spec.name)
        if dataclasses.is_dataclass(value):
            _check_rules(value, f"{key}.")
            continue
        rule: Rule | None = spec.metadata.get("rule")
        if rule is not None and rule.broken_by(value):
            raise ConfigurationError(key, plain(value), "is out of range", accepted_by(node, spec.name))


def _check_together(config: Config) -> None:
    if isinstance(config.mode, SyntheticProcess) and (config.tf.intra_op, config.tf.inter_op) != (1, 1):
        given = f"{config.tf.intra_op}/{config.tf.inter_op}"
        raise ConfigurationError(
            "tf",
            given,
            "contradicts mode=synthetic_process, which pins TensorFlow to one thread",
            "tf=single, that is 1/1, with this mode; or mode=thread for other settings",
        )
    check_task(config.task)
    _check_sink(config.sink)
    if config.affinity is not None:
        _check_affinity(config.affinity)
    if isinstance(config.source, ServedOption):
        _check_served(config.source)
    if isinstance(config.source, Url):
        from runner.config import addresses

        addresses.given(config.source.url)
        _check_options(config.source.options)
    if isinstance(config.mode, Ray):
        _check_ray(config.mode, config.source)
    if isinstance(config.mode, ProcessOption):
        import multiprocessing

        method, there_are = config.mode.start_method.value, multiprocessing.get_all_start_methods()
        if method != "auto" and method not in there_are:
            accepted = ", ".join(["auto", *there_are])
            raise ConfigurationError("mode.start_method", method, "does not exist on this system", accepted)


def _check_ray(mode: Ray, source: SourceOption) -> None:
    if find_spec("ray") is None:
        accepted = "an environment with the extra ray: pip install 'image-pipeline-runner[ray]'"
        raise ConfigurationError("mode", mode.name, "takes Ray, which is not installed", accepted)
    if mode.address is not None and mode.object_store_mb is not None:
        reason = "is of a cluster that is started here; the one that mode.address names has its own"
        raise ConfigurationError("mode.object_store_mb", mode.object_store_mb, reason, "null")
    if mode.ship_source and (not isinstance(source, FilesOption) or (isinstance(source, ServedOption) and source.serve)):
        reason = "sends the bytes of files, and these images come from addresses"
        raise ConfigurationError("mode.ship_source", "true", reason, "false, or a source of files")


def _check_sink(sink: SinkOption) -> None:
    if isinstance(sink, ToHttp) and sink.url is not None and sink.latency_s:
        reason = "is of the receiver that is started where sink.url is null"
        raise ConfigurationError("sink.latency_s", sink.latency_s, reason, "0 with a server of your own")
    if isinstance(sink, ToHttp) and sink.url is not None:
        try:
            urlsplit(sink.url).port  # noqa: B018  (reading it checks it)
        except ValueError as error:
            raise ConfigurationError("sink.url", masked(sink.url), str(error), accepted_by(sink, "url")) from None
    if not isinstance(sink, ToFile) or sink.url is None:
        return
    key, shown, accepted = "sink.url", masked(sink.url), "a folder, or an fsspec URL that can be written to: s3://bucket/prefix"
    scheme, separator, _ = sink.url.partition("://")
    if not sink.url.strip():
        raise ConfigurationError(key, shown, "is empty", accepted)
    if not separator:
        return
    if scheme in {"http", "https"}:
        raise ConfigurationError(key, shown, "is a web server's, which takes no folders", "sink=http, or " + accepted)
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(scheme)
    except ValueError:
        raise ConfigurationError(key, shown, f"fsspec knows no {scheme}://", accepted) from None
    except ImportError as error:
        raise ConfigurationError(key, shown, str(error).strip().rstrip("."), "an environment with that package") from None


def _check_served(source: ServedOption) -> None:
    if not source.serve:
        for field, nothing in (("serve_latency_s", 0.0), ("serve_jitter_s", 0.0), ("serve_bandwidth_mb_per_s", None)):
            if (value := getattr(source, field)) != nothing:
                raise ConfigurationError(
                    f"source.{field}", value, "is of no effect without a server", "source.serve=true with it"
                )
    if source.serve_jitter_s > source.serve_latency_s:
        reason = f"is more than source.serve_latency_s={source.serve_latency_s:g}, below which it reaches"
        raise ConfigurationError("source.serve_jitter_s", source.serve_jitter_s, reason, "a number up to the latency")


def _check_options(options: Any) -> None:
    if not isinstance(options, dict | None):
        raise ConfigurationError("source.options", options, "is no mapping", "null, or a mapping such as {anon: true}")
    _check_no_secrets(options or {}, "source.options")


def _check_no_secrets(options: Any, key: str) -> None:
    """Refuse credentials: what is in the configuration is in every record of it."""
    for name, value in options.items() if isinstance(options, dict) else enumerate(options):
        if isinstance(value, dict | list):
            _check_no_secrets(value, f"{key}.{name}")
        elif is_secret(str(name)) and value not in (None, "anon"):
            raise ConfigurationError(
                f"{key}.{name}", MASK, "would be in every record", "credentials in the environment or in the driver's own files"
            )


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


def plain(value: Any) -> Any:
    """``value`` as JSON and YAML have it: enums by name, dataclasses as mappings, lists of such."""
    if isinstance(value, list):
        return [plain(inside) for inside in value]
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {spec.name: plain(getattr(value, spec.name)) for spec in dataclasses.fields(value)}
    return value


def config_hash(config: Config) -> str:
    """16 hexadecimal digits, equal for configurations that measure the same thing in the same way."""
    content = {key: value for key, value in plain(config).items() if key not in _NOT_HASHED}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
