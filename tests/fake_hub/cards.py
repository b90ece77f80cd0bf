"""What the Hub derives from a repository's files: card data from README.md, tags, library, parameter counts.

The YAML reader knows only what cards in tests use: scalars, quoted strings, inline and block lists, one nested map.
"""

import hashlib
import json
import re
import struct


def front_matter(text):
    """Card data as a dict, or None when there is no card."""
    found = re.match(r"\A---\r?\n(.*?\r?\n)---\s*(?:\r?\n|\Z)", text, re.S)
    if not found:
        return None
    card, key = {}, None
    for line in found.group(1).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        item = re.match(r"\s*- (.*)", line)
        pair = re.match(r"(\s*)([A-Za-z0-9_.\-]+):(?:\s+(.*))?\s*$", line)
        if item and key is not None:
            if not isinstance(card[key], list):
                card[key] = []
            card[key].append(_scalar(item.group(1)))
        elif pair and not pair.group(1):
            key = pair.group(2)
            card[key] = _scalar(pair.group(3)) if pair.group(3) else None
        elif pair and key is not None:
            if not isinstance(card[key], dict):
                card[key] = {}
            card[key][pair.group(2)] = _scalar(pair.group(3) or "")
    return card


def _scalar(text):
    text = text.strip()
    if text[:1] == "[" and text[-1:] == "]":
        return [_scalar(part) for part in text[1:-1].split(",") if part.strip()]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if text in ("null", "~", ""):
        return None
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def card_text(card, body):
    """README.md with the given front matter."""
    lines = ["---"]
    for key, value in card.items():
        if isinstance(value, list):
            lines += [f"{key}:"] + [f"- {json.dumps(v) if not isinstance(v, str) or ':' in v else v}" for v in value]
        else:
            lines.append(f"{key}: {value}")
    return "\n".join([*lines, "---", "", body])


def derived(repo, commit):
    """Fields that follow from the files of one commit: cardData, tags, config, safetensors and the like."""
    tree = repo.reader.tree(commit)
    card = None
    readme = tree.at.get("README.md")
    if readme and not readme.lfs:
        card = front_matter(repo.reader.blob(readme.oid).decode("utf-8", "replace"))
    made = {"cardData": card or {}, "cardExists": card is not None}
    card = card or {}
    tags = [str(t) for t in _as_list(card.get("tags"))]
    names = [e.path for e in tree.entries if e.kind == "file"]
    for library, ending in (("safetensors", ".safetensors"), ("gguf", ".gguf"), ("onnx", ".onnx")):
        if repo.kind == "model" and any(n.endswith(ending) for n in names):
            tags.append(library)
    tags += [str(t) for t in _as_list(card.get("language"))] if repo.kind == "model" else []
    tags += [f"language:{t}" for t in _as_list(card.get("language"))] if repo.kind == "dataset" else []
    tags += [f"dataset:{d}" for d in _as_list(card.get("datasets"))]
    bases = [str(b) for b in _as_list(card.get("base_model"))]
    relation = card.get("base_model_relation")
    tags += [f"base_model:{b}" for b in bases] + [f"base_model:{relation}:{b}" for b in bases if relation]
    tags += [f"license:{l}" for l in _as_list(card.get("license"))] + ["region:us"]
    made["tags"] = list(dict.fromkeys(tags))
    if repo.kind == "model":
        made["library_name"] = card.get("library_name")
        made["pipeline_tag"] = card.get("pipeline_tag")
        made["config"] = _config(repo, tree)
        if bases:
            models = [{"_id": _id_of(repo, b), "id": b} for b in bases]
            made["baseModels"] = {"relation": relation or "finetune", "models": models}
        counts = _safetensors(repo, tree)
        if counts:
            made["safetensors"] = {"parameters": counts, "total": sum(counts.values())}
    made["usedStorage"] = sum(e.size for e in tree.entries if e.kind == "file")
    return made


def _as_list(value):
    return [] if value is None else value if isinstance(value, list) else [value]


def _id_of(repo, name):
    known = repo.store.get("model", name)
    return known.oid if known else hashlib.sha256(name.encode()).hexdigest()[:24]


def _config(repo, tree):
    entry = tree.at.get("config.json")
    if not entry or entry.lfs:
        return {}
    try:
        whole = json.loads(repo.reader.blob(entry.oid))
    except ValueError:
        return {}
    if not isinstance(whole, dict):
        return {}
    return {k: whole[k] for k in ("architectures", "model_type", "quantization_config") if k in whole} | {"tokenizer_config": {}}


_WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def _safetensors(repo, tree):
    counts = {}
    for entry in tree.entries:
        if not (entry.path.endswith(".safetensors") and entry.lfs and repo.store.blobs.size(entry.lfs[0])):
            continue
        try:
            with open(repo.store.blobs.path(entry.lfs[0]), "rb") as f:
                size = struct.unpack("<Q", f.read(8))[0]
                header = json.loads(f.read(size)) if size < 10 << 20 else {}
            for name, tensor in header.items():
                if name != "__metadata__":
                    start, end = tensor["data_offsets"]
                    counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + (end - start) // _WIDTHS[tensor["dtype"]]
        except (ValueError, KeyError, struct.error, TypeError, AttributeError):
            continue
    return counts
