"""`python -m payport.cli`: the command `payport`, where its script is not on the path."""

from payport.cli import main

if __name__ == "__main__":
    main()
