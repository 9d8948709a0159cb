"""All eigenvalues of a large symmetric matrix, by way of a band: most operations are matrix products.

LAPACK's one-stage reduction to a tridiagonal does half of its 4/3·d³ operations as products of the trailing
matrix with one vector, as fast as memory can be read. Here the matrix is first reduced to a band of width b,
all in products with b vectors, and the band then to a tridiagonal by Householder reflections of b entries
that chase the fill-in off its end (Bischof, Lang & Sun 2000): 6·d²·b operations on data that stay in cache.
"""

import ctypes
from typing import Any

import numpy as np
from numba import njit
from numba.extending import get_cython_function_address
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal, lapack

WIDTH = 64  # of the band: narrower makes the products slower, wider the chase longer (measured at d = 13,338)

_LETTER = {"float32": "s", "float64": "d"}
_REAL = {"float32": ctypes.c_float, "float64": ctypes.c_double}


def band_eigenvalues(lower: NDArray[Any], width: int = WIDTH) -> NDArray[Any]:
    """All eigenvalues, ascending, of the symmetric matrix whose lower triangle, in Fortran order, is given.

    The array is destroyed. Backward stable at its precision: errors of a small multiple of ε·‖A‖.
    """
    band = reduce_to_band(lower, width)
    diagonal, beside = chase(band, width)
    return eigh_tridiagonal(diagonal, beside, eigvals_only=True, lapack_driver="sterf", check_finite=False)


def reduce_to_band(a: NDArray[Any], width: int) -> NDArray[Any]:
    """Qᵀ A Q = B with B banded: b columns at a time, A ← (I − V T Vᵀ)ᵀ A (I − V T Vᵀ). Destroys A.

    Returns B as band[j, o] = B[j + o, j] for 0 ≤ o ≤ b, with room for offsets up to 2b that `chase` fills.
    """
    order, products = len(a), _Products(a)
    geqrf = lapack.sgeqrf if a.dtype == np.float32 else lapack.dgeqrf
    for start in range(0, order - width - 1, width):
        below = start + width
        panel, tau, _, _ = geqrf(np.asfortranarray(a[below:, start:below]), overwrite_a=1)
        a[below : below + width, start:below] = np.triu(panel)[: order - below][:width]
        v = np.asfortranarray(np.tril(panel[:, : len(tau)], -1))
        np.fill_diagonal(v, 1)
        products.two_sided(below, v, _triangular_factor(v, tau))
    band = np.zeros((order, 2 * width + 1), a.dtype)
    for offset in range(min(width + 1, order)):
        band[: order - offset, offset] = np.diagonal(a, -offset)
    return band


def _triangular_factor(v: NDArray[Any], tau: NDArray[Any]) -> NDArray[Any]:
    """T of H₁H₂…H_b = I − V T Vᵀ, column by column: T[:i, i] = −τ_i T[:i, :i] V[:, :i]ᵀ v_i."""
    overlaps, factor = v.T @ v, np.diag(tau)
    for i in range(1, len(tau)):
        factor[:i, i] = -tau[i] * (factor[:i, :i] @ overlaps[:i, i])
    return factor


class _Products:
    """BLAS on trailing parts of one array in place, which scipy's wrappers would copy at every call."""

    def __init__(self, a: NDArray[Any]) -> None:
        self._a, self._real = a, _REAL[a.dtype.name]
        letter = _LETTER[a.dtype.name]
        self._symm, self._syr2k = _blas(f"{letter}symm"), _blas(f"{letter}syr2k")

    def two_sided(self, first: int, v: NDArray[Any], factor: NDArray[Any]) -> None:
        """A₂₂ ← A₂₂ − V Wᵀ − W Vᵀ from row `first` on; W = X − ½ V Tᵀ Vᵀ X, X = A₂₂ V T. Lower triangle."""
        x = self._times(first, v) @ factor
        w = np.asfortranarray(x - v @ (0.5 * (factor.T @ (v.T @ x))).astype(v.dtype))
        size, width = v.shape
        self._syr2k(
            *(b"L", b"N", _int(size), _int(width), self._number(-1), _pointer(v), _int(size)),
            *(_pointer(w), _int(size), self._number(1), self._corner(first), _int(len(self._a))),
        )

    def _times(self, first: int, v: NDArray[Any]) -> NDArray[Any]:
        """A₂₂ V, reading only the lower triangle."""
        out = np.zeros_like(v, order="F")
        size, width = v.shape
        self._symm(
            *(b"L", b"L", _int(size), _int(width), self._number(1), self._corner(first), _int(len(self._a))),
            *(_pointer(v), _int(size), self._number(0), _pointer(out), _int(size)),
        )
        return out

    def _number(self, value: float) -> Any:
        return ctypes.byref(self._real(value))

    def _corner(self, first: int) -> Any:
        return _pointer(self._a[first:, first:])


def _blas(name: str) -> Any:
    """A BLAS routine from its address, which releases the interpreter lock while it runs."""
    address = get_cython_function_address("scipy.linalg.cython_blas", name)
    arguments = [ctypes.c_char_p] * 2 + [ctypes.c_void_p] * 10
    return ctypes.CFUNCTYPE(None, *arguments)(address)


def _int(value: int) -> Any:
    return ctypes.byref(ctypes.c_int(value))


def _pointer(array: NDArray[Any]) -> Any:
    return array.ctypes.data_as(ctypes.c_void_p)


def chase(band: NDArray[Any], width: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Diagonal and subdiagonal, in double precision, of a tridiagonal similar to the band. Destroys it."""
    if width > 1:
        _chase(band, width)
    return band[:, 0].astype(float), band[:-1, 1].astype(float)


@njit(cache=True, fastmath=True, nogil=True)
def _chase(band: NDArray[Any], width: int) -> None:
    """Sweep s clears column s below its subdiagonal, then follows the fill-in down the band in steps of b."""
    order = len(band)
    v, after, work = np.empty(width, band.dtype), np.empty(width, band.dtype), np.empty(width, band.dtype)
    for sweep in range(order - 2):
        first, size = sweep + 1, min(width, order - 1 - sweep)
        tau = _reflector(band[sweep, 1 : 1 + size], v[:size])
        while True:
            _two_sided(band, first, v[:size], tau, work)
            rows = min(width, order - first - size)
            if rows <= 0:
                break
            _from_right(band, first, v[:size], tau, work[:rows])
            tau = _reflector(band[first, size : size + rows], after[:rows])
            _from_left(band, first, size, after[:rows], tau)
            first, size = first + size, rows
            v, after = after, v


@njit(cache=True, fastmath=True, nogil=True)
def _reflector(x: NDArray[Any], v: NDArray[Any]) -> Any:
    """v with v₀ = 1 and τ of H = I − τ v vᵀ, H x = β e₀; x becomes β e₀. τ = 0 where x is already so."""
    tail = np.float64(0.0)
    for i in range(1, len(x)):
        tail += np.float64(x[i]) * np.float64(x[i])
    v[0] = 1
    if tail == 0:
        v[1:] = 0
        return x.dtype.type(0)
    head = np.float64(x[0])
    beta = -np.copysign(np.sqrt(head * head + tail), head)
    for i in range(1, len(x)):
        v[i] = x[i] / (head - beta)
        x[i] = 0
    x[0] = beta
    return x.dtype.type((beta - head) / beta)


@njit(cache=True, fastmath=True, nogil=True)
def _two_sided(band: NDArray[Any], first: int, v: NDArray[Any], tau: Any, w: NDArray[Any]) -> None:
    """A ← H A H on the diagonal block of rows first, …: A − v wᵀ − w vᵀ, w = τAv − ½τ²(vᵀAv) v."""
    size = len(v)
    w[:size] = 0
    for j in range(size):
        column, below = band[first + j], size - j
        w[j] += column[0] * v[j]
        dot = column.dtype.type(0)
        for o in range(1, below):
            w[j + o] += column[o] * v[j]
            dot += column[o] * v[j + o]
        w[j] += dot
    dot = v.dtype.type(0)
    for j in range(size):
        w[j] *= tau
        dot += w[j] * v[j]
    half = v.dtype.type(0.5) * tau * dot
    for j in range(size):
        w[j] -= half * v[j]
    for j in range(size):
        column = band[first + j]
        for o in range(size - j):
            column[o] -= v[j + o] * w[j] + w[j + o] * v[j]


@njit(cache=True, fastmath=True, nogil=True)
def _from_right(band: NDArray[Any], first: int, v: NDArray[Any], tau: Any, y: NDArray[Any]) -> None:
    """A ← A H on the block of len(y) rows below the diagonal block of v: A − τ(Av) vᵀ."""
    size, rows = len(v), len(y)
    y[:] = 0
    for j in range(size):
        column = band[first + j, size - j : size - j + rows]
        for i in range(rows):
            y[i] += column[i] * v[j]
    for j in range(size):
        column, factor = band[first + j, size - j : size - j + rows], tau * v[j]
        for i in range(rows):
            column[i] -= y[i] * factor


@njit(cache=True, fastmath=True, nogil=True)
def _from_left(band: NDArray[Any], first: int, size: int, v: NDArray[Any], tau: Any) -> None:
    """A ← H A on the same block, but for its first column, which has become β e₀."""
    rows = len(v)
    for j in range(1, size):
        column = band[first + j, size - j : size - j + rows]
        dot = v.dtype.type(0)
        for i in range(rows):
            dot += v[i] * column[i]
        dot *= tau
        for i in range(rows):
            column[i] -= dot * v[i]
