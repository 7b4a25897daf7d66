"""Average Semantic Precision and its differentiable approximation (DAA) for image-text retrieval.

The names of `daa/__init__.pyi` are loaded when they are first asked for, so that `import daa` costs nothing.
"""

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from daa.distribution import version

        return version()
    return _load(name)
