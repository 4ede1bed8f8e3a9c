"""`python -m lethe`: the command `lethe`, in the form that torchrun starts."""

from lethe.cli import main

if __name__ == "__main__":
    main()
