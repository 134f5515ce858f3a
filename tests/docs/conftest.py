import sys
from pathlib import Path

sys.path.insert(
    0, str(Path(__file__).parents[2] / "docs" / "generate")
)  # its files import each other, as a script's do
