# The other side of bench/pool.mjs: maps once for each line of standard input, which has the size of a chunk or 0.
import platform
import sys
import time
from multiprocessing import Pool


def small(x):
    return (x * x + 7) % 1000


if __name__ == '__main__':
    processes, count = map(int, sys.argv[1:])
    items = list(range(count))
    print('Python', platform.python_version(), flush=True)
    with Pool(processes) as pool:
        for line in sys.stdin:
            start = time.perf_counter()
            results = pool.map(small, items, int(line) or None)
            elapsed = time.perf_counter() - start
            print(elapsed * 1000, sum(results), flush=True)
