# SPDX-License-Identifier: GPL-3.0-or-later
"""Add PSNMF to eXSpy's EDS classes as soon as they are loaded.

HyperSpy has no registry of decomposition algorithms. Until it has, a finder on
``sys.meta_path`` waits for the modules that define the EDS signals, lets them
load, and then wraps ``decomposition`` and adds the accessor ``psnmf``. Only the
standard library is imported here, for this runs inside HyperSpy's own import,
and nothing here may raise then.
"""

import functools
import os
import sys
from types import ModuleType

# Wrapping the base classes as well lets SEM and lazy signals, which inherit
# `decomposition`, have it too; each class is wrapped where it is defined.
_CLASSES = {
    # eXSpy 0.3. In 0.4 these two are left as deprecation shims: empty modules whose
    # `__getattr__` warns of whatever is asked, so only `__dict__` is looked at.
    "exspy.signals.eds": ("EDSSpectrum", "LazyEDSSpectrum"),
    "exspy.signals.eds_tem": ("EDSTEMSpectrum",),
    # eXSpy 0.4
    "exspy.signals._eds": ("EDSSpectrum",),
    "exspy.signals._lazy_eds": ("LazyEDSSpectrum",),
    "exspy.signals._eds_tem": ("EDSTEMSpectrum",),
}


class _Accessor:
    """The attribute ``s.psnmf``; its class is imported when first used."""

    _is_psnmf = True

    def __get__(self, signal, owner=None):
        from hyperspy_psnmf.accessor import PSNMFAccessor

        return PSNMFAccessor if signal is None else PSNMFAccessor(signal)

    def __set__(self, signal, value):
        raise AttributeError("s.psnmf cannot be set: it is the accessor of hyperspy-psnmf")


def _asks_for_psnmf(original, args, kwargs) -> bool:
    algorithm = kwargs.get("algorithm")
    if args and algorithm is None:
        import inspect  # slow to import, and hardly ever needed

        try:
            bound = inspect.signature(original).bind(None, *args, **kwargs)
            algorithm = bound.arguments.get("algorithm")
        except TypeError:
            return False  # the stock method says what is wrong
    if isinstance(algorithm, str):
        return algorithm.strip().upper() == "PSNMF"  # we say how to write it
    # One of our estimators, or its class; by name, so as not to import them.
    cls = algorithm if isinstance(algorithm, type) else type(algorithm)
    return any(base.__module__.startswith("hyperspy_psnmf.estimators") for base in cls.__mro__)


def _stock_decomposition(cls):
    """Return ``decomposition`` as `cls` has it without us, whichever classes we wrapped before."""
    for base in cls.__mro__:
        method = base.__dict__.get("decomposition")
        if hasattr(method, "_is_psnmf"):
            method = None if method._psnmf_inherited else method.__wrapped__
        if method is not None:
            return method
    raise AttributeError(f"{cls.__name__} has no decomposition")


def _wrap(cls):
    """Return ``decomposition`` with PSNMF for `cls`; the original has all other algorithms."""
    inherited = "decomposition" not in cls.__dict__
    original = _stock_decomposition(cls)

    @functools.wraps(original)
    def decomposition(self, *args, **kwargs):
        if _asks_for_psnmf(original, args, kwargs):
            from hyperspy_psnmf.eds.decompose.decompose import decompose_as_stock

            return decompose_as_stock(self, original, args, kwargs)
        # Where `cls` inherits the method, the next class depends on the signal.
        stock = super(cls, self).decomposition if inherited else original.__get__(self)
        result = stock(*args, **kwargs)
        # What is left from an earlier PSNMF does not belong to these results.
        if "psnmf" in vars(self.learning_results) or "PSNMF" in self.metadata:
            from hyperspy_psnmf.eds.signals.stored_record import forget_record

            forget_record(self)
        return result

    decomposition._is_psnmf = True
    decomposition._psnmf_inherited = inherited
    return decomposition


def _own(cls, name):
    """Return what we put at ``cls.name``, or None."""
    attribute = cls.__dict__.get(name)
    return attribute if hasattr(attribute, "_is_psnmf") else None


def _namespace(module):
    """Return what is in a module, without asking the module itself for anything."""
    try:
        return object.__getattribute__(module, "__dict__")
    except AttributeError:  # None, where the import of the module is blocked
        return {}


def _classes_of(name, module):
    found = (_namespace(module).get(class_name) for class_name in _CLASSES[name])
    return [cls for cls in found if isinstance(cls, type)]


def _patch(name, module) -> bool:
    """Patch the classes of a module; False while it has not (yet) all of them."""
    classes = _classes_of(name, module)
    for cls in classes:
        if _own(cls, "decomposition") is None:
            cls.decomposition = _wrap(cls)
        if cls.__name__ == "EDSSpectrum" and _own(cls, "psnmf") is None:
            cls.psnmf = _Accessor()
    return len(classes) == len(_CLASSES[name])


def _unpatch(cls) -> None:
    method = _own(cls, "decomposition")
    if method is not None and method._psnmf_inherited:
        del cls.decomposition
    elif method is not None:
        cls.decomposition = method.__wrapped__
    if _own(cls, "psnmf") is not None:
        del cls.psnmf


def _patch_safely(name, module) -> bool:
    try:
        return _patch(name, module)
    except Exception:
        import logging

        logging.getLogger(__name__).exception("PSNMF could not be added to %s", name)
        return True


class _HalfLoaded(ModuleType):
    """A module whose loading brought us in: patched when it is first used.

    eXSpy's modules import HyperSpy, which imports us, before they define their
    classes, and nothing calls us when they have. Modules that load when first used
    (`importlib.util.LazyLoader`) take the type of a module for a while likewise.
    """

    _is_psnmf = True

    def __getattribute__(self, name):
        module_name = _namespace(self)["__name__"]
        if _patch_safely(module_name, self) or not _is_loading(self):
            self.__class__ = ModuleType
        return ModuleType.__getattribute__(self, name)  # super() asks for the type it had


def _is_loading(module) -> bool:
    # Python has no public way to ask. This stays here, not in `_compat`: nothing that runs
    # inside HyperSpy's import should depend on another file.
    return getattr(_namespace(module).get("__spec__"), "_initializing", False)


class _Loader:
    """Loads a module with its own loader, then patches it."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        if name == "_loader":  # a copy in the making
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        _patch_safely(module.__name__, module)


class _Finder:
    """Finds the modules in `_CLASSES` as everybody else does, with a loader that patches."""

    _is_psnmf = True

    def __init__(self):
        self.patched = set()

    def patch_loaded(self):
        """Patch what came by another way: before us, or by a finder in front of us."""
        for name in _CLASSES:
            module = sys.modules.get(name)
            if module is None or id(module) in self.patched:
                continue
            self.patched.add(id(module))  # before, as to log an error may import, and come here
            if not _patch_safely(name, module):
                self.patched.discard(id(module))
                if type(module) is ModuleType and _is_loading(module):
                    module.__class__ = _HalfLoaded

    def find_spec(self, name, path=None, target=None):
        self.patch_loaded()
        if name not in _CLASSES:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


def _is_ours(thing) -> bool:
    # Not by class, so that what an importlib.reload left counts too.
    return hasattr(thing, "_is_psnmf")


def activate(*, unless_disabled: bool = False) -> None:
    """Add PSNMF to EDS signals, those loaded already and those to come.

    Done by ``import hyperspy_psnmf``, which HyperSpy itself does. Doing it twice
    is doing it once.

    Parameters
    ----------
    unless_disabled : bool
        Do nothing where the environment variable ``HYPERSPY_PSNMF_DISABLE`` is
        set to anything but "" or "0".
    """
    if unless_disabled and os.environ.get("HYPERSPY_PSNMF_DISABLE", "0") not in ("", "0"):
        return
    deactivate()
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    finder.patch_loaded()


def deactivate() -> None:
    """Remove PSNMF from EDS signals again."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_ours(finder)]
    for name in _CLASSES:
        module = sys.modules.get(name)
        if _is_ours(type(module)):
            module.__class__ = ModuleType
        for cls in _classes_of(name, module):
            for base in cls.__mro__:  # also one that a reload of its module replaced
                _unpatch(base)
