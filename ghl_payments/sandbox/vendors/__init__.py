"""The systems that the sandbox serves: every module of this package, found and not listed.

A new system is one more module here with its `VENDOR`; what it does may stand in modules beside this package.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from ghl_payments.sandbox.vendor import VendorModule


@cache
def vendor_modules() -> dict[str, VendorModule]:
    """Name -> module, GHL first, the others by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    found: list[VendorModule] = [import_module(f"{__name__}.{name}").VENDOR for name in names]
    return {module.name: module for module in sorted(found, key=lambda module: (module.name != "ghl", module.name))}
