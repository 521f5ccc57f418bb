"""Forty secrets in the places where users put them, and where to look for them afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

# In each of them, so that a part is found too.
MARK = "Pl4nted"

VARIABLES = {
    "TF_VAR_db_password": f"{MARK}-v01", "RAY_JOB_HEADERS": f'{{"Authorization": "Bearer {MARK}-v02"}}', "MLFLOW_AUTH_HEADER": f"{MARK}-v03",
    "OMP_TOOL_LICENCE": f"{MARK}-v04", "MLFLOW_S3_ENDPOINT_URL": f"https://me:{MARK}-v05@store", "AWS_SECRET_ACCESS_KEY": f"{MARK}-v06",
    "PYTHON_KEYRING_PASSPHRASE": f"{MARK}-v07", "CUDA_REPO": f"https://host/x?u={MARK}-v08", "NVIDIA_NGC": f"{MARK}-v09",
    "XLA_CONNECTION": f"Server=h;Pwd={MARK}-v10",
}  # fmt: skip

# Fields of a query, by the names that those who make addresses think of.
FIELDS = (
    "pass pw p code jwt sid session access bearer otp pin ticket policy Key-Pair-Id u t s X-Amz-Signature sv".split()  # noqa: SIM905  (to be read)
)


def addresses(place: str, path: str) -> list[str]:
    """Addresses of ``path`` on the server at ``place``, with a secret in each; the server looks at none of them."""
    query = "&".join(f"{name}={MARK}-q{number:02}" for number, name in enumerate(FIELDS))
    return [
        f"http://{place}{path}?{query}&width=3",
        f"http://ann:{MARK}-a01@{place}{path}",
        f"http://ann:{MARK}%2Fa02%20%23@{place}{path}",
        f"http://{MARK}-a03@{place}{path}",
        f"http://{place}{path}#token={MARK}-a04",
        f"http://{place}/{MARK}A0dEfGhIjKlMnOpQr5{path}",
    ]


OPTIONS = f"{{headers:{{X-Vault:{MARK}-h01,X-Who:'Bearer {MARK}-h02',X-Jar:'a={MARK}-h03; b=1'}}}}"


def found_in(files: Iterable[Path], *texts: str) -> list[str]:
    """Every file and every text with a planted secret in it, with what stands around it."""
    contents = [(str(path), path.read_bytes()) for path in files] + [("text", text.encode()) for text in texts]
    return [
        f"{name}: {content[max(0, at - 60) : at + 40]!r}"
        for name, content in contents
        if (at := content.find(MARK.encode())) >= 0
    ]
