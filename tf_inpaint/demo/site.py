"""The page as a folder that any static host serves: its files, a model, and a card of what the model takes.

ONNX Runtime Web runs the model in the visitor's browser. Its files come from the npm package `onnxruntime-web`: copied
into the folder from an installed one, or fetched by the page from a public network, held to their checksums.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import numpy as np

from tf_inpaint.errors import InputError
from tf_inpaint.io.atomic import write_whole
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD

LARGEST = 512  # side of what the network is shown at most
WINDOW = 256  # side of what it is shown at least, where the picture allows
EXAMPLE_SIDE, EXAMPLE_HOLE = 96, (40, 56)
_PAGE = Path(__file__).parent / "page"
_MODEL, _TEXTURE = "model.onnx", "texture.onnx"
_ONLY_SERVED, _AT_THE_TOP = {"server.js"}, {"index.html", "service_worker.js"}
_KINDS = {
    "wasm": ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"],
    "webgpu": ["ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"],
}
_PUBLISHED = {
    "version": "1.30.0",
    "base": "https://cdn.jsdelivr.net/npm/onnxruntime-web@1.30.0/dist/",
    "integrity": {
        "ort.wasm.bundle.min.mjs": "sha384-PLWz+nHEVHpjwBsO0YVdvQj6n5814Iv8E3b8FG0Rp/uIAtjFMCKOpP66iPzedrIG",
        "ort-wasm-simd-threaded.wasm": "sha384-vjBJ1z7qrhkTyYsNqKeF6c7N+nOJSU94czEo+tvZcu8G75JparGq9kB+kTnEUNVM",
        "ort.webgpu.bundle.min.mjs": "sha384-1ntMeyj+z5diX6vBR5h+zlJBPc4iNvhCxE6nlammh8daBYcLBZkzrwDkuJjhwI+f",
        "ort-wasm-simd-threaded.asyncify.wasm": (
            "sha384-EPVDLTxuO663dkZO/pcKJF6vOyyfq/5z9FY1oksN0UWFX2ABH4wDDZQHeNoUleWR"
        ),
    },
}


def example() -> tuple[np.ndarray, np.ndarray]:
    """The picture and hole by which the page tries a graphics processor: uint8 [1, S, S, 3] and [1, S, S, 1]."""
    y, x, channel = np.ogrid[:EXAMPLE_SIDE, :EXAMPLE_SIDE, :3]
    first, end = EXAMPLE_HOLE
    mask = np.zeros((1, EXAMPLE_SIDE, EXAMPLE_SIDE, 1), np.uint8)
    mask[:, first:end, first:end] = 255
    return ((3 * x + 2 * y + 40 * channel + 6 * (x * y % 11)) % 256).astype(np.uint8)[np.newaxis], mask


def find_runtime(path: str | None) -> dict:
    """What the page loads ONNX Runtime Web by, and its files where they are to be copied.

    Args:
        path: folder of the npm package `onnxruntime-web`, or its `dist`; None is a pinned version, public.
    Returns:
        {"version", "base", "kinds", "integrity"} for the card, and "files", name -> contents.
    Raises:
        InputError: if the folder is not that of such a package.
    """
    if path is None:
        return {**_PUBLISHED, "kinds": _KINDS, "files": {}}
    folder = Path(path)
    folder = folder / "dist" if (folder / "dist").is_dir() else folder
    try:
        version = json.loads((folder.parent / "package.json").read_text())["version"]
        files = {name: (folder / name).read_bytes() for names in _KINDS.values() for name in names}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not the folder of the npm package onnxruntime-web {_PUBLISHED['version']}: {error}"
        ) from error
    integrity = {name: _checksum(contents) for name, contents in files.items()}
    return {"version": version, "base": "runtime/", "kinds": _KINDS, "integrity": integrity, "files": files}


def write_site(
    folder: str, model: bytes, about: dict, expected: np.ndarray, runtime: dict, texture: bytes | None = None
) -> int:
    """Writes the folder; files of these names are replaced.

    Args:
        folder: where.
        model: an ONNX file of any size, whose outputs have "drawn".
        about: what the card says of it: "title", "origin", "guided", "contract", and "beside", the pixels around a
            hole that it draws right.
        expected: uint8 [1, S, S, 3], what it draws of `example`.
        runtime: of `find_runtime`.
        texture: an ONNX file that draws textures into what the model draws; None: nothing does.
    Returns:
        Bytes of the model and the page, without the runtime.
    Raises:
        InputError: if it cannot be written there.
    """
    files, runtime = dict(runtime["files"]), {key: value for key, value in runtime.items() if key != "files"}
    mask = example()[1][..., 0] > 0
    card = {
        **about,
        "levels": {"mask": MASK_THRESHOLD, "edges": EDGE_THRESHOLD},
        "model": {"file": _MODEL, "bytes": len(model), "integrity": _checksum(model)},
        "texture": texture and {"file": _TEXTURE, "bytes": len(texture), "integrity": _checksum(texture)},
        "sizes": {"largest": LARGEST, "window": WINDOW},
        "runtime": {"package": "onnxruntime-web", **runtime},
        "example": {
            "side": EXAMPLE_SIDE,
            "hole": EXAMPLE_HOLE,
            "levels": base64.b64encode(expected[mask].tobytes()).decode(),
        },
    }
    pages = {path.name: path.read_bytes() for path in sorted(_PAGE.iterdir()) if path.name not in _ONLY_SERVED}
    site = {f"page/{name}": contents for name, contents in pages.items() if name not in _AT_THE_TOP}
    site.update({_MODEL: model, **({_TEXTURE: texture} if texture else {})})
    site["card.json"] = json.dumps(card, indent=1).encode()
    site["manifest.webmanifest"] = json.dumps(_manifest(about["title"]), indent=1).encode()
    elsewhere = "" if files else runtime["base"]
    site["index.html"] = _index(pages["index.html"].decode(), elsewhere, about["guided"]).encode()
    loaded = [f"{runtime['base']}{name}" for name in _KINDS["wasm"]]
    site["service_worker.js"] = _service_worker(pages["service_worker.js"].decode(), site, loaded).encode()
    for name, contents in {**{f"runtime/{name}": contents for name, contents in files.items()}, **site}.items():
        write_whole(str(Path(folder) / name), contents)
    return sum(map(len, site.values()))


def _index(page, elsewhere, guided):
    policy = (
        f"default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' {elsewhere}; "
        "img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
    tags = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<link rel="manifest" href="manifest.webmanifest">',
        '<meta name="theme-color" content="#1d2430">',
    )
    page = page.replace("<!-- static -->", "\n".join(tags)).replace('data-engine="server"', 'data-engine="local"')
    return page if guided else page.replace('guided"', 'guided" hidden')  # or the page would move when it is ready


def _manifest(title):
    icons = [{"src": "page/icon.svg", "sizes": "any", "type": "image/svg+xml"}]
    colours = {"background_color": "#14181f", "theme_color": "#1d2430"}
    return {"name": title, "short_name": title, "start_url": "./", "display": "standalone", "icons": icons, **colours}


def _service_worker(script, site, loaded):
    names = ["./", *(name for name in site if name != "service_worker.js"), *loaded]
    checksum = hashlib.sha256(b"".join(site.values())).hexdigest()[:16]
    return script.replace("CHECKSUM", checksum).replace("FILES = []", f"FILES = {json.dumps(names)}")


def _checksum(contents):
    return "sha384-" + base64.b64encode(hashlib.sha384(contents).digest()).decode()
