"""A run's settings as they were when a round was played: a branch keeps its source's for what it took."""

from experiments import config, preflight
from memory.branches import config_at
from memory.reader import RunReader
from protocols.settings import RunSettings


def settings_of(reader: RunReader, round: int) -> RunSettings:
    """Ready to make the domain from.

    Raises:
        SettingError, ArtefactError: the settings, or the domain's files, are not to be had here.
    """
    return preflight.with_files(config.resolve(config_at(reader, round)))
