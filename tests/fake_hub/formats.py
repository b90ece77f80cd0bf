"""Small writers of real model and dataset files: safetensors, GGUF, ONNX, parquet, CSV. Standard library only."""

import csv
import io
import json
import random
import struct

from .blobs import random_blocks

_ST_WIDTH = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I8": 1}


# safetensors: 8 bytes header size, JSON header, tensor bytes.


def safetensors_header(shapes, metadata=None):
    """(header bytes, size of the tensor data) for {name: (dtype, shape)}."""
    header, at = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape) in shapes.items():
        size = _ST_WIDTH[dtype]
        for n in shape:
            size *= n
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, at


def safetensors_chunks(shapes, seed, metadata=None):
    """A whole file as chunks, its tensors filled with deterministic bytes."""
    head, size = safetensors_header(shapes, metadata)
    yield head
    yield from random_blocks(size, seed)


def llama_shapes(layers, hidden, vocab, inner, dtype="BF16"):
    """Tensor names and shapes of a Llama-like model."""
    shapes = {"model.embed_tokens.weight": (dtype, (vocab, hidden))}
    for i in range(layers):
        for name, shape in (("input_layernorm", (hidden,)), ("mlp.down_proj", (hidden, inner)), ("mlp.gate_proj", (inner, hidden)),
                            ("mlp.up_proj", (inner, hidden)), ("post_attention_layernorm", (hidden,)), ("self_attn.k_proj", (hidden, hidden)),
                            ("self_attn.o_proj", (hidden, hidden)), ("self_attn.q_proj", (hidden, hidden)), ("self_attn.v_proj", (hidden, hidden))):
            shapes[f"model.layers.{i}.{name}.weight"] = (dtype, shape)
    return shapes | {"model.norm.weight": (dtype, (hidden,)), "lm_head.weight": (dtype, (vocab, hidden))}


# GGUF version 3.

_GGUF_U32, _GGUF_F32, _GGUF_STRING, _GGUF_ARRAY = 4, 6, 8, 9


def _gguf_string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _gguf_value(value):
    if isinstance(value, str):
        return struct.pack("<I", _GGUF_STRING) + _gguf_string(value)
    if isinstance(value, float):
        return struct.pack("<If", _GGUF_F32, value)
    if isinstance(value, list):
        return struct.pack("<IIQ", _GGUF_ARRAY, _GGUF_STRING, len(value)) + b"".join(map(_gguf_string, value))
    return struct.pack("<II", _GGUF_U32, value)


def gguf(facts, tensors, seed, alignment=32):
    """A GGUF v3 file: `facts` are its key-values, `tensors` {name: shape}, all F32 with deterministic bytes."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts))
    out += b"".join(_gguf_string(k) + _gguf_value(v) for k, v in facts.items())
    at = 0
    sizes = []
    for name, shape in tensors.items():
        size = 4
        for n in shape:
            size *= n
        out += _gguf_string(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", 0, at)
        sizes.append(size)
        at += size + -size % alignment
    out += b"\0" * (-len(out) % alignment)
    for i, size in enumerate(sizes):
        out += b"".join(random_blocks(size, f"{seed}-{i}")) + b"\0" * (-size % alignment)
    return out


# ONNX: protobuf by hand.


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number, value):
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def onnx(width, seed):
    """A valid model: y = x · W for x of [batch, width] and a square matrix W stored in the file."""

    def value_info(name):
        batch, size = _field(1, _field(2, "batch")), _field(1, _field(1, width))
        return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, batch + size)))

    weights = b"".join(random_blocks(width * width * 4, seed))
    tensor = _field(1, width) + _field(1, width) + _field(2, 1) + _field(8, "W") + _field(9, weights)
    node = _field(1, "x") + _field(1, "W") + _field(2, "y") + _field(3, "multiply") + _field(4, "MatMul")
    graph = _field(1, node) + _field(2, "sample") + _field(5, tensor) + _field(11, value_info("x")) + _field(12, value_info("y"))
    return _field(1, 8) + _field(2, "fake-hub") + _field(3, "1.0") + _field(7, graph) + _field(8, _field(1, "") + _field(2, 17))


# Parquet: one row group, plain encoding, no compression; the footer is Thrift's compact protocol by hand.

_BOOL_TRUE, _I32, _I64, _BINARY, _LIST, _STRUCT = 1, 5, 6, 8, 9, 12


def _zigzag(number):
    return _varint((number << 1) ^ (number >> 63))


def _thrift(fields):
    """A compact struct of (id, type, encoded value), ids ascending."""
    out, last = b"", 0
    for number, kind, value in fields:
        out += bytes([(number - last) << 4 | kind]) + value
        last = number
    return out + b"\0"


def _text(value):
    raw = value.encode()
    return _varint(len(raw)) + raw


def _list(kind, items):
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + _varint(len(items))
    return head + b"".join(items)


def parquet(columns):
    """{name: list of int, float or str}, all of one length, as a parquet file without nulls."""
    rows = len(next(iter(columns.values())))
    body = b"PAR1"
    schema = [_thrift([(4, _BINARY, _text("schema")), (5, _I32, _zigzag(len(columns)))])]
    chunks, total = [], 0
    for name, values in columns.items():
        if isinstance(values[0], str):
            kind, converted = 6, [(6, _I32, _zigzag(0))]  # BYTE_ARRAY, UTF8
            raw = [v.encode() for v in values]
            data = b"".join(struct.pack("<I", len(r)) + r for r in raw)
        else:
            kind, converted = (5, []) if isinstance(values[0], float) else (2, [])  # DOUBLE, INT64
            data = struct.pack(f"<{rows}{'d' if kind == 5 else 'q'}", *values)
        schema.append(_thrift([(1, _I32, _zigzag(kind)), (3, _I32, _zigzag(0)), (4, _BINARY, _text(name)), *converted]))
        page_head = _thrift([(1, _I32, _zigzag(0)), (2, _I32, _zigzag(len(data))), (3, _I32, _zigzag(len(data))),
                             (5, _STRUCT, _thrift([(1, _I32, _zigzag(rows)), (2, _I32, _zigzag(0)), (3, _I32, _zigzag(3)), (4, _I32, _zigzag(3))]))])
        size = len(page_head) + len(data)
        meta = _thrift([(1, _I32, _zigzag(kind)), (2, _LIST, _list(_I32, [_zigzag(0)])), (3, _LIST, _list(_BINARY, [_text(name)])),
                        (4, _I32, _zigzag(0)), (5, _I64, _zigzag(rows)), (6, _I64, _zigzag(size)), (7, _I64, _zigzag(size)),
                        (9, _I64, _zigzag(len(body)))])
        chunks.append(_thrift([(2, _I64, _zigzag(len(body))), (3, _STRUCT, meta)]))
        body += page_head + data
        total += size
    group = _thrift([(1, _LIST, _list(_STRUCT, chunks)), (2, _I64, _zigzag(total)), (3, _I64, _zigzag(rows))])
    footer = _thrift([(1, _I32, _zigzag(1)), (2, _LIST, _list(_STRUCT, schema)), (3, _I64, _zigzag(rows)),
                      (4, _LIST, _list(_STRUCT, [group])), (6, _BINARY, _text("fake-hub"))])
    return body + footer + struct.pack("<I", len(footer)) + b"PAR1"


# Tables.

_WORDS = "river stone light window garden paper engine summer winter bridge letter market island forest signal copper velvet harbour".split()


def reviews(rows, seed):
    """{column: values} of made-up product reviews."""
    chance = random.Random(seed)
    return {
        "id": list(range(rows)),
        "stars": [chance.randint(1, 5) for _ in range(rows)],
        "score": [round(chance.random(), 6) for _ in range(rows)],
        "text": [" ".join(chance.choices(_WORDS, k=chance.randint(4, 18))) for _ in range(rows)],
    }


def csv_text(columns):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()
