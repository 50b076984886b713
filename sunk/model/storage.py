"""Where a Slurm cluster keeps its data: persistent volume claims, and the accounting database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sunk.model.file_form import FILE_FORM as _FILE_FORM
from sunk.model.overlay import PodOverlay


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A persistent volume claim.

    Attributes:
        size: Kubernetes quantity.
        storage_class: StorageClass; the cluster's default when absent.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    size: str
    storage_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The claims of a cluster; each survives every Pod.

    Attributes:
        home: /home on login and worker Pods, ReadWriteMany.
        state: slurmctld's StateSaveLocation.
        database: MariaDB's data folder.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    home: Claim = field(default_factory=lambda: Claim(size="10Gi"))
    state: Claim = field(default_factory=lambda: Claim(size="1Gi"))
    database: Claim = field(default_factory=lambda: Claim(size="5Gi"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalDatabase:
    """A MySQL or MariaDB server that somebody else runs, for slurmdbd.

    Attributes:
        host: its name or address.
        port: where it listens.
        name: the database; slurmdbd makes its tables in it.
        user: who may do everything in it.
        password_secret: Secret of the namespace with the password.
        password_key: which of its entries.
        parameters: slurmdbd's StorageParameters, for example SSL_CA.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    host: str
    password_secret: str
    port: int = 3306
    name: str = "slurm_acct_db"
    user: str = "slurm"
    password_key: str = "password"  # noqa: S105 - the name of an entry
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where accounting is kept: in a MariaDB of the cluster's own, or in one of the site's.

    Attributes:
        external: the site's; then none is made.
        pod: what the own MariaDB's Pod has beside what it needs.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    external: ExternalDatabase | None = None
    pod: PodOverlay | None = None
