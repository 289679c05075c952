"""Compiles kernels in CUDA's C++ by NVRTC, which torch for CUDA brings, and launches them through the driver; no compiler is needed."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch

from engine.atomic_write import replacing
from engine.kernels.jit_cache import cache_folder

SOURCES = Path(__file__).with_name("cuda")
OVERLAP = 6  # CUlaunchAttributeID: programmatic stream serialization
OVERLAPPING = (9, 0)  # capabilities from which on a kernel may start before the one in front has ended


class DriverError(RuntimeError):
    """NVRTC or the driver reported an error; the message is theirs."""


class LaunchAttribute(ctypes.Structure):
    _fields_ = (("id", ctypes.c_int), ("pad", ctypes.c_int), ("value", ctypes.c_int), ("rest", ctypes.c_byte * 60))


class LaunchConfig(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(LaunchAttribute)),
        ("count", ctypes.c_uint),
    )


class Kernel:
    """One kernel on one device. It takes one parameter, a structure."""

    def __init__(self, function: ctypes.c_void_p, overlap: bool) -> None:
        self.function, self.overlap = function, overlap
        self.early = LaunchAttribute(id=OVERLAP, value=1)

    def launch(self, call: ctypes.Structure, grid: tuple[int, int, int], threads: int, shared: int = 0) -> None:
        """On torch's current stream, with `shared` bytes of shared memory. Raises DriverError."""
        stream = torch.cuda.current_stream().cuda_stream
        config = LaunchConfig(grid, (threads, 1, 1), shared, stream, ctypes.pointer(self.early), int(self.overlap))
        parameters = (ctypes.c_void_p * 1)(ctypes.addressof(call))
        check(libcuda().cuLaunchKernelEx(ctypes.byref(config), self.function, parameters, None), "launch")


class Module:
    """The kernels of one source file on one device, compiled for `capability`; the driver assembles them if the device has another."""

    def __init__(self, source: str, device: torch.device, capability: tuple[int, int], definitions: Sequence[str] = ()) -> None:
        own = torch.cuda.get_device_capability(device)
        self.overlap = min(own, capability) >= OVERLAPPING
        image = compiled(source, capability, tuple(definitions), assembled=own == capability)
        self.module = ctypes.c_void_p()
        with torch.cuda.device(device):
            torch.cuda.current_stream().synchronize()  # makes torch's context this thread's
            check(libcuda().cuModuleLoadData(ctypes.byref(self.module), image), source)

    def kernel(self, name: str) -> Kernel:
        function = ctypes.c_void_p()
        check(libcuda().cuModuleGetFunction(ctypes.byref(function), self.module, name.encode()), name)
        return Kernel(function, self.overlap)


def check(status: int, doing: str) -> None:
    if status:
        message = ctypes.c_char_p()
        libcuda().cuGetErrorString(status, ctypes.byref(message))
        raise DriverError(f"{doing}: {(message.value or b'unknown error').decode()} ({status})")


@cache
def libcuda() -> ctypes.CDLL:
    return ctypes.CDLL("libcuda.so.1")


@cache
def nvrtc() -> ctypes.CDLL | None:
    """The library, torch's own where there is one; None where there is none."""
    major = (torch.version.cuda or "").partition(".")[0]
    spec = find_spec("nvidia")
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    found = [str(path) for folder in folders for path in folder.glob("*/lib/libnvrtc.so.*") if "builtins" not in path.name]
    found.sort(key=lambda path: not path.endswith(f".{major}"))
    for name in (*found, f"libnvrtc.so.{major}", "libnvrtc.so"):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def compiled(source: str, capability: tuple[int, int], definitions: Sequence[str], assembled: bool = True) -> bytes:
    """A file of SOURCES as machine code, or as assembly (PTX) for the driver; cached in the data folder. Raises DriverError."""
    text = whole_source(source, definitions)
    key = hashlib.sha256(f"{text} {capability} {assembled} {torch.version.cuda}".encode()).hexdigest()
    folder = cache_folder()
    kept = folder and folder / f"{Path(source).stem}-{key[:24]}"
    if kept and kept.exists():
        return kept.read_bytes()
    image = compile_source(text, capability, assembled)
    if kept:
        with replacing(kept) as part:
            part.write_bytes(image)
    return image


def whole_source(source: str, definitions: Sequence[str]) -> str:
    """A file of SOURCES with `#define` lines in front and its include filled in."""
    text = "".join((SOURCES / name).read_text(encoding="utf-8") for name in ("device.cuh", source)).replace('#include "device.cuh"\n', "")
    return "".join(f"#define {definition}\n" for definition in definitions) + text


def compile_source(text: str, capability: tuple[int, int], assembled: bool = True) -> bytes:
    """Compiles by NVRTC, which needs no card. Raises DriverError with the compiler's messages."""
    library = nvrtc()
    if library is None:
        raise DriverError("NVRTC is not installed: it comes with torch for CUDA")
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
    kind = "sm" if assembled else "compute"
    options = [b"--diag-suppress=177", f"--gpu-architecture={kind}_{capability[0]}{capability[1]}".encode(), b"--std=c++17"]
    failed = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    of, get = (library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN) if assembled else (library.nvrtcGetPTXSize, library.nvrtcGetPTX)
    if failed:
        of, get = library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog
    of(program, ctypes.byref(size))
    made = ctypes.create_string_buffer(size.value)
    get(program, made)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    if failed:
        raise DriverError(made.raw.rstrip(b"\0").decode(errors="replace"))
    return made.raw
