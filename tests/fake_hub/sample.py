"""The sample Hub of the demo: seven small but real repositories with history, made on the spot.

    models/open-lab/tiny-llama             base model: sharded safetensors, tokenizer, tag v1.0, branch fp16, refs/pr/1
    models/open-lab/tiny-llama-chat        fine-tuned from it: shares the tokenizer and one shard with its base
    models/open-lab/tiny-llama-chat-GGUF   quantised from that: two GGUF files and an ONNX export
    models/open-lab/big-weights            one safetensors file of `big_mib` MiB
    datasets/open-lab/reviews              CSV from 1 kB to some MB, parquet, refs/convert/parquet
    datasets/field-notes/measurements      parquet and CSV, awkward file names
    spaces/open-lab/demo                   a static page
"""

import json
import math
import shutil

from .cards import card_text
from .formats import csv_text, gguf, llama_shapes, onnx, parquet, reviews, safetensors_chunks
from .repos import GITATTRIBUTES, Lfs, LfsMade, Store

SAMPLE_IDS = ("open-lab/tiny-llama", "open-lab/tiny-llama-chat", "open-lab/tiny-llama-chat-GGUF", "open-lab/big-weights",
              "datasets/open-lab/reviews", "datasets/field-notes/measurements", "spaces/open-lab/demo")
BIG_MIB = 224


def _tokenizer(size=2000):
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"tok{i}": i for i in range(3, size)}
    return json.dumps({"version": "1.0", "added_tokens": [{"id": i, "content": c, "special": True} for c, i in list(vocab.items())[:3]],
                       "pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "BPE", "vocab": vocab, "merges": []}}, indent=1)


def _config(layers, hidden, vocab, inner, **more):
    return json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden, "intermediate_size": inner,
                       "num_attention_heads": 8, "num_hidden_layers": layers, "vocab_size": vocab, "torch_dtype": "bfloat16", **more}, indent=2)


LAYERS, HIDDEN, VOCAB, INNER = 7, 256, 4000, 704
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def _weights(shapes, seed):
    return LfsMade(f"safetensors:{len(shapes)}:{seed}:v2", lambda: safetensors_chunks(shapes, seed, {"format": "pt"}))


def _sharded(first_seed, second_seed):
    """The two shards of one model and the index that names the shard of each tensor."""
    shapes = llama_shapes(LAYERS, HIDDEN, VOCAB, INNER)
    names = list(shapes)
    halves = names[:28], names[28:]  # embeddings and layers 0-2; the rest
    index = {"metadata": {"total_size": 2 * sum(math.prod(shape) for _, shape in shapes.values())},
             "weight_map": {name: shard for shard, half in zip(SHARDS, halves, strict=True) for name in half}}
    files = {shard: _weights({n: shapes[n] for n in half}, seed)
             for shard, half, seed in zip(SHARDS, halves, (first_seed, second_seed), strict=True)}
    return files | {"model.safetensors.index.json": json.dumps(index, indent=1)}


def build_sample(store, big_mib=BIG_MIB):
    """Fills an empty Store; {what Hub users type: head commit}."""
    tokenizer = _tokenizer()
    sentencepiece = Lfs(b"sample tokenizer model\n" * 20_000)
    chat = "\n## Use\n\nTalks about rivers and stones. Nothing it says is true.\n"

    base = store.create("model", "open-lab/tiny-llama", created_s=1_741_000_000, downloads=48_211, likes=312)
    with base.importer() as run:
        run.commit("initial commit", {".gitattributes": GITATTRIBUTES})
        run.commit("Upload tokenizer", {"tokenizer.json": tokenizer, "tokenizer.model": sentencepiece,
                                        "tokenizer_config.json": '{"model_max_length": 2048}\n'})
        old = run.commit("First weights", {"config.json": _config(3, HIDDEN, VOCAB, INNER),
                                            "model.safetensors": _weights(llama_shapes(3, HIDDEN, VOCAB, INNER), "open-lab-old")})
        run.tag("v0.1", old)
        card = {"license": "apache-2.0", "language": ["en", "de"], "library_name": "transformers", "pipeline_tag": "text-generation",
                "tags": ["sample"], "datasets": ["open-lab/reviews"]}
        tip = run.commit("Better weights, in two shards", {
            "README.md": card_text(card, "# tiny-llama\n\nA Llama small enough to be a sample.\n"), "LICENSE": "Apache License 2.0\n",
            "config.json": _config(LAYERS, HIDDEN, VOCAB, INNER), **_sharded("open-lab-shared", "open-lab-second"),
        }, delete=["model.safetensors"])
        run.tag("v1.0", tip, message="first release")
        run.commit("half precision", {"config.json": _config(LAYERS, HIDDEN, VOCAB, INNER, torch_dtype="float16")}, ref="refs/heads/fp16", parent=tip)
        run.commit("Fix a typo in the card", {"README.md": card_text(card, "# tiny-llama\n\nA Llama small enough to be a sample!\n")},
                   ref="refs/pr/1", parent=tip, author="Grace Visitor")
    tuned = store.create("model", "open-lab/tiny-llama-chat", created_s=1_743_000_000, downloads=9_120, likes=87)
    with tuned.importer() as run:
        run.commit("initial commit", {".gitattributes": GITATTRIBUTES, "tokenizer.json": tokenizer, "tokenizer.model": sentencepiece})
        card = {"license": "apache-2.0", "language": ["en"], "base_model": "open-lab/tiny-llama", "base_model_relation": "finetune",
                "datasets": ["open-lab/reviews", "field-notes/measurements"], "pipeline_tag": "text-generation", "library_name": "transformers"}
        tip = run.commit("Fine-tuned weights", {
            "README.md": card_text(card, "# tiny-llama-chat\n" + chat), "config.json": _config(LAYERS, HIDDEN, VOCAB, INNER),
            **_sharded("open-lab-shared", "open-lab-chat"),
            "generation_config.json": '{"temperature": 0.7}\n', "chat_template.jinja": "{{ messages[0].content }}\n"})
        run.tag("v1.0", tip)
    quant = store.create("model", "open-lab/tiny-llama-chat-GGUF", created_s=1_744_000_000, downloads=31_007, likes=140)
    with quant.importer() as run:
        run.commit("initial commit", {".gitattributes": GITATTRIBUTES.replace(b"*.h5", b"*.gguf filter=lfs diff=lfs merge=lfs -text\n*.h5")})
        facts = {"general.architecture": "llama", "general.name": "tiny-llama-chat", "general.license": "apache-2.0", "llama.context_length": 2048,
                 "llama.block_count": 2, "llama.rope.freq_base": 10000.0, "tokenizer.ggml.model": "llama",
                 "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "river"]}
        for i, rows in (("Q4_K_M", 2000), ("Q8_0", 4000)):
            tensors = {"token_embd.weight": (256, rows), "output_norm.weight": (256,), "output.weight": (256, rows)}
            run.commit(f"Add {i}", {f"tiny-llama-chat-{i}.gguf": Lfs(gguf(facts, tensors, i))})
        card = {"license": "apache-2.0", "base_model": "open-lab/tiny-llama-chat", "base_model_relation": "quantized", "tags": ["gguf"]}
        run.commit("Add the ONNX export and the card", {
            "onnx/model.onnx": Lfs(onnx(512, "onnx")), "README.md": card_text(card, "# tiny-llama-chat, quantised\n")})
    big = store.create("model", "open-lab/big-weights", created_s=1_745_000_000, downloads=77, likes=3)
    columns = 4096
    shapes = {"weights": ("F16", (big_mib * 1024 * 1024 // (2 * columns), columns))}
    with big.importer() as run:
        run.commit("initial commit", {".gitattributes": GITATTRIBUTES})
        run.commit("Upload weights", {
            "README.md": card_text({"license": "cc-by-4.0", "tags": ["sample"]}, "# big-weights\n"), "config.json": '{"model_type": "sample"}\n',
            "model.safetensors": LfsMade(f"safetensors:big:{big_mib}:v1", lambda: safetensors_chunks(shapes, "open-lab-big"))})
    _datasets(store)
    space = store.create("space", "open-lab/demo", created_s=1_746_000_000, likes=12)
    space.commit("A page", {"README.md": card_text({"title": "Demo", "sdk": "static", "license": "mit"}, "# demo\n"),
                            "index.html": "<!doctype html><title>demo</title><p>Hello.\n"})
    for repo in store.repos():
        repo.settle()
    return {("" if r.kind == "model" else f"{r.kind}s/") + r.id: r.head() for r in store.repos()}


def _datasets(store):
    data = store.create("dataset", "open-lab/reviews", created_s=1_740_500_000, downloads=5_400, likes=41)
    table = reviews(20_000, "reviews")
    attributes = GITATTRIBUTES + b"large/*.csv filter=lfs diff=lfs merge=lfs -text\n"
    with data.importer() as run:
        run.commit("initial commit", {".gitattributes": attributes})
        run.commit("A first sample", {"data/sample.csv": csv_text({k: v[:20] for k, v in table.items()})})
        card = {"license": "cc-by-sa-4.0", "language": ["en"], "pretty_name": "Made-up reviews", "size_categories": ["10K<n<100K"]}
        tip = run.commit("The whole table", {
            "README.md": card_text(card, "# reviews\n\nNo product was harmed.\n"), "data/validation.csv": csv_text({k: v[:2000] for k, v in table.items()}),
            "large/train.csv": Lfs(csv_text(table)), "large/train-x4.csv": Lfs(csv_text({k: v * 4 for k, v in table.items()})),
            "data/train-00000-of-00001.parquet": Lfs(parquet(table))})
        run.tag("v1.0", tip)
        run.commit("Convert to parquet", {"default/train/0000.parquet": Lfs(parquet(table)), ".gitattributes": GITATTRIBUTES},
                   ref="refs/convert/parquet", orphan=True, author="parquet converter")
    notes = store.create("dataset", "field-notes/measurements", created_s=1_740_900_000, downloads=310, likes=5)
    small = reviews(500, "notes")
    with notes.importer() as run:
        run.commit("Add data", {".gitattributes": GITATTRIBUTES, "2025/north station.csv": csv_text(small), "2025/süd #2 (50%).csv": csv_text(small),
                                "-draft.txt": "not ready\n"})
        run.commit("Add the card and parquet", {
            "README.md": card_text({"license": "cc0-1.0", "language": "en", "tags": ["sensors"]}, "# measurements\n"),
            "measurements.parquet": Lfs(parquet({"station": [f"s{i % 7}" for i in range(9000)], "celsius": [i % 40 / 2 for i in range(9000)]}))})


def ensure_sample(root, big_mib=BIG_MIB):
    """A Store holding the sample: opened when it is there, made (again) when it is missing or only half made."""
    store = Store(root)
    if len(store.repos()) >= len(SAMPLE_IDS):
        return store
    store.close()
    shutil.rmtree(f"{store.root}/git", ignore_errors=True)
    store = Store(root)
    build_sample(store, big_mib)
    return store
