# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fills up."""

import errno
import os


class DiskOf:
    """Opens files until so many bytes have been written."""

    def __init__(self, size):
        self.size, self.written = size, 0

    def open(self, file, mode):
        stream, disk = open(file, mode), self  # noqa: SIM115 - closed below

        class Stream:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                stream.close()

            def write(self, data):
                disk.written += len(data)
                if disk.written > disk.size:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                stream.write(data)

        return Stream()
