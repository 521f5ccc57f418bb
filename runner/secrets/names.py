"""Which names stand for what may be shown: lists of exact names, because the names of secrets cannot be listed."""

from __future__ import annotations

import re

MASK = "***"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Variables of the environment that may change results; no other is recorded.
RECORDED_VARIABLES = _words(
    """
    CUDA_CACHE_DISABLE CUDA_DEVICE_MAX_CONNECTIONS CUDA_DEVICE_ORDER CUDA_LAUNCH_BLOCKING CUDA_MODULE_LOADING CUDA_VISIBLE_DEVICES
    GLIBC_TUNABLES
    KMP_AFFINITY KMP_BLOCKTIME KMP_DUPLICATE_LIB_OK KMP_HW_SUBSET KMP_SETTINGS
    LD_PRELOAD
    MALLOC_ARENA_MAX MALLOC_ARENA_TEST MALLOC_CONF MALLOC_MMAP_MAX_ MALLOC_MMAP_THRESHOLD_ MALLOC_PERTURB_ MALLOC_TOP_PAD_ MALLOC_TRIM_THRESHOLD_
    MKL_CBWR MKL_DEBUG_CPU_TYPE MKL_DYNAMIC MKL_ENABLE_INSTRUCTIONS MKL_NUM_THREADS
    MLFLOW_HTTP_REQUEST_MAX_RETRIES MLFLOW_HTTP_REQUEST_TIMEOUT MLFLOW_TRACKING_URI
    NUMEXPR_MAX_THREADS NUMEXPR_NUM_THREADS
    NVIDIA_DRIVER_CAPABILITIES NVIDIA_TF32_OVERRIDE NVIDIA_VISIBLE_DEVICES
    OMP_DYNAMIC OMP_MAX_ACTIVE_LEVELS OMP_NESTED OMP_NUM_THREADS OMP_PLACES OMP_PROC_BIND OMP_SCHEDULE OMP_STACKSIZE OMP_THREAD_LIMIT OMP_WAIT_POLICY
    OPENBLAS_CORETYPE OPENBLAS_MAIN_FREE OPENBLAS_NUM_THREADS
    PYTHONDEVMODE PYTHONDONTWRITEBYTECODE PYTHONFAULTHANDLER PYTHONHASHSEED PYTHONHOME PYTHONIOENCODING PYTHONMALLOC PYTHONNODEBUGRANGES
    PYTHONOPTIMIZE PYTHONPATH PYTHONSAFEPATH PYTHONTRACEMALLOC PYTHONUNBUFFERED PYTHONUTF8 PYTHONWARNINGS PYTHON_CPU_COUNT PYTHON_GIL PYTHON_JIT
    RAY_ADDRESS RAY_OBJECT_STORE_ALLOW_SLOW_STORAGE RAY_memory_monitor_refresh_ms RAY_memory_usage_threshold
    TF_CPP_MAX_VLOG_LEVEL TF_CPP_MIN_LOG_LEVEL TF_CUDNN_DETERMINISTIC TF_CUDNN_USE_AUTOTUNE TF_DETERMINISTIC_OPS TF_DISABLE_MKL TF_ENABLE_ONEDNN_OPTS
    TF_FORCE_GPU_ALLOW_GROWTH TF_GPU_ALLOCATOR TF_GPU_THREAD_COUNT TF_GPU_THREAD_MODE TF_NUM_INTEROP_THREADS TF_NUM_INTRAOP_THREADS
    TF_USE_LEGACY_KERAS TF_XLA_FLAGS
    XLA_FLAGS XLA_PYTHON_CLIENT_ALLOCATOR XLA_PYTHON_CLIENT_MEM_FRACTION XLA_PYTHON_CLIENT_PREALLOCATE
    """
)

# Fields of an address's query whose values say which image, or in which form; in small letters.
HARMLESS_FIELDS = _words(
    """
    auto bg blur bucket count crop delimiter dpr encoding encoding-type end file filename fit fl_progressive fm format gravity h height id image image_id
    img index key-count keyword lang limit list-type marker max-keys mode name offset order page part partnumber path photo pic prefix q quality
    quantity ratio rotate scale seed size sort start url-encode v version versionid w width
    x-amz-algorithm x-amz-date x-amz-expires x-amz-signedheaders x-goog-algorithm x-goog-date x-goog-expires x-goog-signedheaders
    """
)

# Settings of fsspec's drivers whose texts may be shown; in small letters.
HARMLESS_SETTINGS = _words(
    """
    addressing_style anon api_version block_size cache_type config_kwargs consistency default_block_size default_cache_type default_fill_cache encoding
    endpoint_url fill_cache project region region_name requester_pays s3 s3_additional_kwargs signature_version client_kwargs timeout use_ssl
    """
)

# Mappings of which every value is masked, whatever its name.
CONFIDENTIAL_MAPPINGS = frozenset({"headers", "http_headers", "extra_headers", "default_headers", "cookies", "env_set"})

_NAME = re.compile(r"[\w.-]+")
_SECRET_NAME = re.compile(
    r"token|secret|signature|passw|passphrase|pwd|credential|authorization|cookie|connection.?string|(^|[_.-])(sig|auth)$|(^|[_.-]|api|access)key(id)?$",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether something of this name (a variable, a key, a field) is likely to be a secret."""
    return _NAME.fullmatch(name) is not None and _SECRET_NAME.search(name) is not None
