"""A small Hub as an auditor meets it: bases of known owners, a family with every licence case, a base that is gone, weights under another name."""

import json

from fake_hub import LfsRandom


def weights(seed, size=4000):
    return LfsRandom(size, seed)


def card(**fields):
    lines = []
    for key, value in fields.items():
        lines += [f"{key}:"] + [f"- {v}" for v in value] if isinstance(value, list) else [f"{key}: {value}"]
    return "---\n" + "\n".join(lines) + "\n---\n# model\n"


def build(test):
    """Fills the store of a HubTest. @returns the repositories by name."""
    made = {}

    def model(name, files, **meta):
        made[name] = test.model(name, files, **meta)

    qwen, llama = "Qwen/Qwen2.5-0.5B", "meta-llama/Llama-3.2-1B"
    config = json.dumps({"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 896, "vocab_size": 151936})
    model(qwen, {"README.md": card(license="apache-2.0"), "config.json": config, "model.safetensors": weights("qwen")})
    config = json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048})
    model(llama, {"README.md": card(license="llama3.2"), "config.json": config, "model.safetensors": weights("llama")})
    model("lab/nc-base", {"README.md": card(license="cc-by-nc-4.0"), "model.safetensors": weights("nc")})
    adapter = {
        "README.md": card(license="apache-2.0", base_model=qwen, base_model_relation="adapter"),
        "adapter_config.json": json.dumps({"base_model_name_or_path": qwen, "peft_type": "LORA"}),
        "adapter_model.safetensors": weights("adapter"),
    }
    model("hospital/triage-adapter", adapter)
    declared = card(license="mit", base_model=llama, base_model_relation="finetune", datasets=["lab/notes"])
    model("hospital/summariser", {"README.md": declared, "model.safetensors": weights("summariser")})
    declared = card(license="apache-2.0", base_model="lab/nc-base", base_model_relation="finetune")
    model("bank/scorer", {"README.md": declared, "model.safetensors": weights("scorer")})
    model("bank/orphan", {"README.md": card(license="mit", base_model="someone/deleted-model"), "model.safetensors": weights("orphan")})
    model("shadow/renamed-weights", {"README.md": card(license="mit"), "model.safetensors": weights("qwen")})
    model("hospital/unlabelled", {"README.md": "# no front matter\n", "model.safetensors": weights("unlabelled")})
    declared = card(license="apache-2.0", base_model="hospital/triage-merged", base_model_relation="quantized")
    model("hospital/triage-gguf", {"README.md": declared, "triage.gguf": weights("gguf")})
    declared = card(license="apache-2.0", base_model=[qwen, "hospital/triage-adapter"], base_model_relation="merge")
    model("hospital/triage-merged", {"README.md": declared, "model.safetensors": weights("merged")})
    made["datasets/lab/notes"] = test.repo("dataset", "lab/notes", {"README.md": card(license="cc-by-sa-4.0"), "train.csv": "a,b\n1,2\n"})
    return made


MIRRORED = [
    "hospital/triage-adapter",
    "hospital/summariser",
    "bank/scorer",
    "bank/orphan",
    "shadow/renamed-weights",
    "hospital/unlabelled",
    "hospital/triage-gguf",
    "Qwen/Qwen2.5-0.5B",
]
AUDITS = ("licences", "origins", "lineage", "hashes", "history", "closure")


def answers(test):
    """Every audit's answer as bytes, in every form."""
    out = {}
    for name in AUDITS:
        for form in ("text", "json", "csv"):
            args = [*(["--json"] if form == "json" else []), "audit", name, *(["--csv"] if form == "csv" else [])]
            out[name, form] = test.hm(*args, code=(0, 1)).out_bytes
    for what in ("Qwen/Qwen2.5-0.5B", "licence:apache-2.0", "origin:CN"):
        out["impact", what] = test.hm("--json", "impact", what, code=(0, 1)).out_bytes
    for repo in ("hospital/triage-gguf", "Qwen/Qwen2.5-0.5B"):
        for way in ("--up", "--down"):
            out["lineage", repo, way] = test.hm("lineage", repo, way).out_bytes
            out["lineage", repo, way, "json"] = test.hm("--json", "lineage", repo, way).out_bytes
    out["why"] = test.hm("why", "hospital/triage-gguf", "Qwen/Qwen2.5-0.5B").out_bytes
    out["ecosystem"] = test.hm("--json", "report", "ecosystem").out_bytes
    return out
