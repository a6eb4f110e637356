"""Functions that only compiled code calls: their code ends up in their callers, and nowhere else.

Numba makes machine code of every function by itself, and of the same function once more inside each of its callers,
into which it is linked. For functions without an entry for Python the former is work for nothing. Here it is done when
an address is asked for. They are optimised by themselves all the same: inside a large function fewer of their loops
become vector instructions, and gradients would take up to a third longer.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding
from numba.core.caching import CompileResultCacheImpl
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, CompilerBase, DefaultPassBuilder, compile_result
from numba.core.compiler_lock import global_compiler_lock

LINKED = "linked"
"""What the cache calls code that is to be linked."""

_NEEDED = ("_finalize_final_module", "_get_module_for_linking", "_ensure_finalized")


class LinkedLibrary(JITCodeLibrary):  # type: ignore[misc]  # Numba has no types
    """The code of one function, and of what is linked into it."""

    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(codegen, name)
        self.enable_object_caching()
        self._is_native = False
        self._environments: list[tuple[str, Any]] = []

    @property
    def codegen(self) -> Any:
        """What Numba tells of environments."""
        return self

    def set_env(self, name: str, environment: Any) -> None:
        """Note an environment: there is no machine code yet that it could be told to."""
        self._environments.append((name, environment))

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """The address of a function, of which machine code is made then; 0 where it is not here."""
        self._ensure_finalized()
        if all(name != function.name for function in self.get_defined_functions()):
            return 0
        self.make_native()
        return int(super().get_pointer_to_function(name))

    @global_compiler_lock  # type: ignore[untyped-decorator]
    def make_native(self) -> bool:
        """Make machine code; False if there is some."""
        if self._is_native:
            return False
        self._is_native = True
        self._get_module_for_linking()  # what callers are given stays as it is
        super()._finalize_final_module()
        for name, environment in self._environments:
            self._codegen.set_env(name, environment)
        return True

    def serialize_using_object_code(self) -> Any:
        """What is put on disk: machine code if there is some."""
        self._ensure_finalized()
        if self._is_native:
            return super().serialize_using_object_code()
        return self.name, LINKED, self._final_module.as_bitcode()

    @classmethod
    def read(cls, codegen: Any, name: str, bitcode: bytes) -> LinkedLibrary:
        """What was put on disk without machine code."""
        library = cls(codegen, name)
        library._final_module = binding.parse_bitcode(bitcode)
        library._finalize_final_module()
        return library


class LinkedCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's compiler, with such a library."""

    def define_pipelines(self) -> list[Any]:
        """Numba's own passes."""
        state = self.state
        if state.library is None:
            state.library = LinkedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        return [DefaultPassBuilder.define_nopython_pipeline(state)]


def compiler(linked: bool) -> type[CompilerBase]:
    """The compiler of a function; Numba's own where that has changed inside, by which only time is lost."""
    return LinkedCompiler if linked and all(hasattr(JITCodeLibrary, name) for name in _NEEDED) else Compiler


def made_native(result: Any) -> bool:
    """Whether it was only now that machine code was made of something compiled."""
    return isinstance(result.library, LinkedLibrary) and result.library.make_native()


class ResultsOnDisk(CompileResultCacheImpl):  # type: ignore[misc]
    """How what was compiled is written and read."""

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        """What was written."""
        (name, kind, code), fndesc, environment, signature, *_, reload_init, _ = payload
        if kind != LINKED:
            return super().rebuild(target_context, payload)
        for function in reload_init:
            function()
        library = LinkedLibrary.read(target_context.codegen(), name, code)
        return compile_result(
            target_context=target_context,
            typing_context=target_context.typing_context,
            library=library,
            environment=environment,
            entry_point=target_context.get_executable(library, fndesc, environment),
            fndesc=fndesc,
            signature=signature,
            objectmode=False,
            lifted=(),
            reload_init=reload_init,
        )
