"""`python -m unweave`, for launchers that start modules: accelerate launch -m unweave train ..."""

from unweave.cli.main import main

if __name__ == "__main__":
    main()
