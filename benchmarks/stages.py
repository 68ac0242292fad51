"""Default layers of architectures in timm, exported with drawn weights, against its `feature_info`."""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

from onnxdissect.model import load_network

NAMES = [
    "resnet18",
    "resnet50",
    "resnet50d",
    "resnet26t",
    "resnext50_32x4d",
    "seresnet50",
    "legacy_seresnet18",
    "res2net50_26w_4s",
    "res2next50",
    "regnetx_002",
    "regnety_002",
    "regnetz_b16",
    "botnet26t_256",
    "eca_nfnet_l0",
    "nfnet_l0",
    "nf_resnet26",
    "resnetv2_50",
    "resnetv2_50x1_bit",
    "resnetv2_50d",
    "efficientnet_b0",
    "efficientnet_lite0",
    "tf_efficientnet_b0",
    "efficientnetv2_rw_t",
    "tf_efficientnetv2_b0",
    "mobilenetv2_100",
    "mobilenetv3_small_100",
    "mobilenetv3_large_100",
    "mobilenetv4_conv_small",
    "mnasnet_100",
    "semnasnet_075",
    "spnasnet_100",
    "fbnetc_100",
    "hardcorenas_a",
    "tinynet_e",
    "mixnet_s",
    "ghostnet_100",
    "rexnet_100",
    "densenet121",
    "densenetblur121d",
    "inception_v3",
    "inception_v4",
    "inception_resnet_v2",
    "xception41",
    "legacy_xception",
    "vgg11_bn",
    "vgg16_bn",
    "dla34",
    "dla60",
    "dla60_res2net",
    "hrnet_w18_small",
    "cspresnet50",
    "cspdarknet53",
    "darknet53",
    "cspresnext50",
    "ese_vovnet19b_dw",
    "ese_vovnet39b",
    "selecsls42b",
    "skresnet18",
    "resnest14d",
    "resnest26d",
    "ecaresnet26t",
    "gcresnet33ts",
    "gernet_s",
    "repvgg_a0",
    "seresnext26d_32x4d",
    "wide_resnet50_2",
    "resnetaa50",
    "convnext_atto",
    "convnextv2_atto",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "pvt_v2_b0",
    "maxvit_rmlp_pico_rw_256",
    "coatnet_nano_rw_224",
    "edgenext_xx_small",
    "efficientformer_l1",
    "poolformer_s12",
    "levit_128s",
    "mobilevit_xxs",
    "mobilevitv2_050",
    "hgnetv2_b0",
    "mobileone_s0",
    "repghostnet_050",
    "tresnet_m",
    "fastvit_t8",
    "efficientformerv2_s0",
    "twins_pcpvt_small",
    "lcnet_050",
    "nf_regnet_b0",
    "focalnet_tiny_srf",
    "poolformerv2_s12",
    "repvit_m0_9",
    "starnet_s1",
    "inception_next_atto",
    "caformer_s18",
    "dm_nfnet_f0",
    "xception65p",
]
FIXED = ["swin", "maxvit", "coatnet", "levit", "bot", "efficientformer", "twins", "vgg", "inception"]
SIZE = 128

Stage = tuple[int, int]

# Where timm lists something else than the end of each stage: what it lists, and the ends that count here.
CONVENTIONS: dict[str, tuple[str, list[Stage]]] = {
    "ghostnet_100": (
        "the first block of a resolution, not the last; no last expansion",
        [(16, 2), (24, 4), (40, 8), (112, 16), (960, 32)],
    ),
    "repghostnet_050": (
        "the first block of a resolution, not the last; no last expansion",
        [(8, 2), (12, 4), (20, 8), (56, 16), (480, 32)],
    ),
    "inception_v4": (
        "the first of two blocks of one resolution",
        [(64, 2), (192, 4), (384, 8), (1024, 16), (1536, 32)],
    ),
    "xception41": (
        "the inside of the next stage's first block, but block outputs in legacy_xception",
        [(64, 2), (128, 4), (256, 8), (728, 16), (2048, 32)],
    ),
    "xception65p": (
        "the inside of the next stage's first block, but block outputs in legacy_xception",
        [(64, 2), (128, 4), (256, 8), (728, 16), (2048, 32)],
    ),
    "vgg11_bn": ("the last pooling", [(64, 1), (128, 2), (256, 4), (512, 8), (512, 16)]),
    "vgg16_bn": ("the last pooling", [(64, 1), (128, 2), (256, 4), (512, 8), (512, 16)]),
    "tresnet_m": (
        "a map of half the image's size, which the network does not have",
        [(64, 4), (128, 8), (1024, 16), (2048, 32)],
    ),
}


def export(name: str, folder: Path) -> None:
    """Write a model, and its image size with (units, reduction) of each of timm's stage ends."""
    import timm
    import torch

    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, exportable=True).eval()
    stated = int(model.pretrained_cfg["input_size"][-1])
    size = stated if any(word in name for word in FIXED) else SIZE
    info: Any = model.feature_info
    info = [{key: stage[key] for key in ("num_chs", "reduction")} for stage in getattr(info, "info", info)]
    images = torch.zeros(1, 3, size, size)
    path = folder / f"{name}.onnx"
    torch.onnx.export(model, (images,), str(path), dynamo=False, opset_version=17, input_names=["image"])
    path.with_suffix(".json").write_text(json.dumps({"size": size, "info": info}))


def ours(path: Path, size: int) -> list[Stage]:
    layers = load_network(path).select(["stages"])
    return [(layer.units, 2 ** round(math.log2(size / max(layer.grid)))) for layer in layers]


def stated(path: Path) -> tuple[int, list[Stage]]:
    about = json.loads(path.with_suffix(".json").read_text())
    return about["size"], [(stage["num_chs"], stage["reduction"]) for stage in about["info"]]


def label_units(name: str, found: list[Stage], wanted: list[Stage]) -> str:
    if found == wanted:
        return "equal"
    if name in CONVENTIONS and found == CONVENTIONS[name][1]:
        return "timm's convention differs"
    finest = min(reduction for _, reduction in wanted)
    # timm leaves out the stem of many networks
    return "equal, and a stem" if [s for s in found if s[1] >= finest] == wanted else "DIFFERENT"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="architectures of timm")
    parser.add_argument("--quick", action="store_true", help="two small architectures only")
    parser.add_argument("--keep", type=Path, help="folder of exported files: kept, and taken where there")
    asked = parser.parse_args()
    names = asked.names or (["resnet18", "mobilenetv2_100"] if asked.quick else NAMES)
    installed = all(importlib.util.find_spec(module) for module in ("timm", "torch"))
    warnings.simplefilter("ignore")
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        for name in names:
            path = folder / f"{name}.onnx"
            if not path.with_suffix(".json").exists():
                if not installed:
                    print("timm and torch are not installed: nothing to compare with")
                    return
                export(name, folder)
            size, wanted = stated(path)
            found = ours(path, size)
            verdict = label_units(name, found, wanted)
            counts[verdict] = counts.get(verdict, 0) + 1
            differs = "" if verdict == "equal" else f"\n  timm {wanted}\n  ours {found}"
            why = f": {CONVENTIONS[name][0]}" if verdict.startswith("timm") else ""
            print(f"{name:32} {verdict}{why}{differs}", flush=True)
            if asked.keep is None:
                path.unlink()
            gc.collect()
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


if __name__ == "__main__":
    main()
