# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The certificate of the page: the user's own, or one that is made at first use."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
from pathlib import Path
import socket
import ssl

from ..errors import ConfigurationError

_VALID_DAYS = 397  # browsers refuse certificates that are valid for longer
_RENEW_DAYS = 14


def load_certificate(certificate: Path, private_key: Path) -> tuple[ssl.SSLContext, str]:
    """
    Make the TLS context of a server.

    Parameters
    ----------
    certificate, private_key : Path
        PEM files.

    Returns
    -------
    tuple of (ssl.SSLContext, str)
        TLS 1.2 or newer, and the SHA-256 fingerprint that browsers show.

    Raises
    ------
    ConfigurationError
        If one of the files cannot be used.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, private_key)
        der = ssl.PEM_cert_to_DER_cert(_first_block(certificate.read_text(encoding='ascii')))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f'certificate and private_key must be PEM files that belong together, got '
            f'{certificate} and {private_key}: {error}; leave both empty to have one made'
        ) from error
    digest = hashlib.sha256(der).hexdigest().upper()
    return context, ':'.join(digest[index : index + 2] for index in range(0, len(digest), 2))


def _first_block(pem: str) -> str:
    end = '-----END CERTIFICATE-----'
    head, found, _ = pem.partition(end)
    if not found:
        raise ValueError('no certificate in the file')
    return head[head.index('-----BEGIN CERTIFICATE-----') :] + end


def own_certificate(folder: Path, now: datetime.datetime) -> tuple[Path, Path]:
    """
    Return the certificate of this machine, made where there is none or it is about to expire.

    Parameters
    ----------
    folder : Path
        Holds both files; only this user may read the key.
    now : datetime.datetime
        With a time zone.

    Returns
    -------
    tuple of (Path, Path)
        PEM files of certificate and private key.

    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    certificate_file, key_file = folder / 'certificate.pem', folder / 'private_key.pem'
    if certificate_file.is_file() and key_file.is_file():
        try:
            present = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        except ValueError:
            pass  # cut off by a full disk, or by the end of a battery
        else:
            # Naive UTC, the only form that python3-cryptography of Ubuntu 24.04 has.
            if now < _expiry(present) - datetime.timedelta(days=_RENEW_DAYS):
                return certificate_file, key_file
    # Whatever interrupts what follows: no old certificate stays beside a new key.
    certificate_file.unlink(missing_ok=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    host = socket.gethostname()
    names: list[x509.GeneralName] = [
        x509.DNSName(name) for name in dict.fromkeys((host, f'{host.partition(".")[0]}.local'))
    ]
    names += [x509.IPAddress(ipaddress.ip_address(text)) for text in own_addresses()]
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f'fcrn_depth_ros on {host}'[:64])]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS - 1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    # Opened with its rights, so that there is no moment in which others can read it.
    descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, 'wb') as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate_file, key_file


def _expiry(certificate: object) -> datetime.datetime:
    aware = getattr(certificate, 'not_valid_after_utc', None)
    if isinstance(aware, datetime.datetime):
        return aware
    naive = certificate.not_valid_after  # type: ignore[attr-defined]
    return datetime.datetime.combine(naive.date(), naive.time(), datetime.timezone.utc)


def own_addresses() -> list[str]:
    """List the addresses of this machine that others may reach it by; loopback comes last."""
    found: dict[str, None] = {}
    for family, probe in ((socket.AF_INET, '192.0.2.1'), (socket.AF_INET6, '2001:db8::1')):
        try:
            # Connecting a datagram socket sends nothing; it chooses the address of the route.
            with socket.socket(family, socket.SOCK_DGRAM) as route:
                route.connect((probe, 9))
                found[str(route.getsockname()[0])] = None
        except OSError:
            continue
    try:
        for entry in socket.getaddrinfo(socket.gethostname(), None):
            found[str(entry[4][0]).partition('%')[0]] = None
    except OSError:
        pass
    return [*found, *(text for text in ('127.0.0.1', '::1') if text not in found)]
