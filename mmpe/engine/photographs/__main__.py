"""Train in the folder given on the command line, for a parent process."""
from .training import main

if __name__ == '__main__':
    main()
