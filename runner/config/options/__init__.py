"""The options: one dataclass for each file under ``conf/``, in one module for each group. Nothing here imports what it configures."""

from runner.config.options.base import Choices as Choices
from runner.config.options.consumers import *  # noqa: F403
from runner.config.options.loaders import *  # noqa: F403
from runner.config.options.measuring import *  # noqa: F403
from runner.config.options.modes import *  # noqa: F403
from runner.config.options.root import *  # noqa: F403
from runner.config.options.sinks import *  # noqa: F403
from runner.config.options.sources import *  # noqa: F403
from runner.config.options.tasks import *  # noqa: F403
from runner.config.options.tf import *  # noqa: F403
from runner.config.options.tf_data import *  # noqa: F403
from runner.config.options.tracking import *  # noqa: F403
