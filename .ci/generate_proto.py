"""Generates proto/perdure_proto/v1 from proto/perdure/v1/*.proto, or checks that it is up to date.

    python .ci/generate_proto.py             write
    python .ci/generate_proto.py --check     exit 1 if the committed files differ

Messages (`*_pb2.py` with `.pyi`) and services (`*_pb2_grpc.py`) are generated with the grpcio-tools
of the `dev` extra. Imports between generated modules become relative, since the Python package is
not named after the protobuf package. Hand-written files in the directory are left alone.
"""

import argparse
import re
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

PROTO_ROOT = Path(__file__).resolve().parent.parent / "proto"
SOURCES = PROTO_ROOT / "perdure" / "v1"
TARGET = PROTO_ROOT / "perdure_proto" / "v1"
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"

# Generated code refuses to load under a protobuf older than its generator's: 1.76 writes code for
# protobuf 6.31.1, the floor in pyproject.toml.
GENERATOR_VERSION = "1.76.0"

ABSOLUTE_IMPORT = re.compile(r"^from perdure\.v1 import ", re.MULTILINE)


def generate(directory: Path) -> dict[str, str]:
    """Run protoc into `directory`; return the text of each generated file by its name."""
    sources = sorted(SOURCES.glob("*.proto"))
    if not sources:
        return {}
    arguments = [
        "protoc",
        f"--proto_path={PROTO_ROOT}",
        f"--proto_path={WELL_KNOWN}",
        f"--python_out={directory}",
        f"--pyi_out={directory}",
        f"--grpc_python_out={directory}",
        *(str(source) for source in sources),
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed; its message is above")
    return {
        path.name: ABSOLUTE_IMPORT.sub("from . import ", path.read_text())
        for path in sorted((directory / "perdure" / "v1").iterdir())
    }


def committed() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(TARGET.glob("*_pb2*.py*"))}


def write(generated: dict[str, str]) -> None:
    if not generated:
        print(f"nothing to generate: no .proto files in {SOURCES.relative_to(PROTO_ROOT.parent)}")
        return
    TARGET.mkdir(exist_ok=True)
    for name in committed().keys() - generated.keys():
        (TARGET / name).unlink()
    for name, text in generated.items():
        (TARGET / name).write_text(text)
    package = TARGET / "__init__.py"
    if not package.exists():
        package.write_text(
            '"""Generated code of the protocol perdure.v1; `make proto` writes it."""\n'
        )
    print(f"wrote {len(generated)} files to {TARGET.relative_to(PROTO_ROOT.parent)}")


def check(generated: dict[str, str]) -> None:
    present = committed()
    stale = sorted(
        name
        for name in generated.keys() | present.keys()
        if generated.get(name) != present.get(name)
    )
    if stale:
        sys.exit(f"out of date, run `make proto`: {', '.join(stale)}")
    print(f"generated code is up to date ({len(generated)} files)")


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate the protocol's Python code.")
    parser.add_argument("--check", action="store_true", help="compare with the committed files")
    arguments = parser.parse_args()
    installed = version("grpcio-tools")
    if installed != GENERATOR_VERSION:
        sys.exit(f"grpcio-tools {GENERATOR_VERSION} is needed, {installed} is installed")
    with tempfile.TemporaryDirectory() as directory:
        generated = generate(Path(directory))
    if arguments.check:
        check(generated)
    else:
        write(generated)


if __name__ == "__main__":
    main()
