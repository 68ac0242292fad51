"""``python -m onnxdissect``."""

from onnxdissect.cli.main import main

if __name__ == "__main__":
    main()
