"""What a TLS connection needs: paths of PEM files. Reads no file itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for TLS to an `https://` endpoint.

    Args:
        ca_file: certificates to trust; those of the system when None.
        certificate_file, key_file: the client's own, for mutual TLS.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
