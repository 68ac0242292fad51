"""How far cells respond from where the graph has them, over the layers of any networks, in cells."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxdissect.model import choose_preprocessing, contradicts, load_network, rule_distance
from onnxdissect.model.receptive_field.probe import measure_layers


def main() -> None:
    """Print a row for every network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path, help="networks, with drawn or trained weights")
    parser.add_argument(
        "--layer", action="append", help="layers to measure; all that have a place if left out"
    )
    parser.add_argument("--preset", help="how images are prepared")
    parser.add_argument("--quick", action="store_true", help="the stages alone")
    asked = parser.parse_args()
    columns = "network", "layers", "measured", "down", "across", "beyond half", "farthest layer"
    print("{:<32}{:>8}{:>10}{:>8}{:>8}{:>13}  {}".format(*columns))
    for path in asked.models:
        network = load_network(path)
        chosen = network.select(asked.layer or (["stages"] if asked.quick else ["all"]))
        layers = [layer for layer in chosen if layer.receptive_field is not None]
        preprocessing = choose_preprocessing(network, preset=asked.preset)
        centres = measure_layers(network, layers, preprocessing, None)
        apart = {
            layer.name: distance
            for layer, centre in zip(layers, centres, strict=True)
            if (distance := rule_distance(layer, centre)) is not None
        }
        farthest = max(apart, key=lambda name: max(map(abs, apart[name])), default="")
        down, across = apart.get(farthest, (float("nan"), float("nan")))
        beyond = sum(contradicts(layer, centre) for layer, centre in zip(layers, centres, strict=True))
        row = path.stem[:31], len(layers), len(apart), f"{down:+.2f}", f"{across:+.2f}", beyond, farthest
        print("{:<32}{:>8}{:>10}{:>8}{:>8}{:>13}  {}".format(*row))


if __name__ == "__main__":
    main()
