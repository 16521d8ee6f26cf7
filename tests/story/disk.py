"""A disk with faults under the daemon's volumes: reads that hang, errors, no room (tests/shim/disk.c)."""
import mmap
import os
import struct

from harness import until


class Disk:
    """Proxyd(..., disk=Disk(folder)): the files of the daemon's volumes are on a disk that fails when the story says so. A
    daemon sees what was set before a byte was sent to it. fail('data', 'write', errno.EIO) and the like; shut() makes every
    read of bodies hang until open(); values are read by name: disk.get('waiting')."""
    FILES, OPERATIONS = ('data', 'index'), ('read', 'write', 'sync')
    ROW = (('error', 'i'), ('only', 'i'), ('from', 'q'), ('to', 'q'), ('done', 'q'), ('failed', 'q'))
    REST = (('shut', 'i'), ('passes', 'i'), ('cold', 'i'), ('write_most', 'i'), ('delay_us', 'i'), ('map_full', 'i'), ('waiting', 'i'), ('ahead', 'q'),
            ('map_fulls', 'q'))

    def __init__(self, folder):
        self.path, self.at, end = os.path.join(str(folder), 'disk'), {}, 0
        rows = [(f'{f}.{o}.{n}', kind) for f in self.FILES for o in self.OPERATIONS for n, kind in self.ROW]
        for name, kind in rows + list(self.REST):
            size = struct.calcsize(kind)
            end = (end + size - 1) // size * size
            self.at[name] = (end, kind)
            end += size
        with open(self.path, 'wb') as f:
            f.write(bytes(4096))
        self.file = open(self.path, 'r+b', buffering=0)
        self.page = mmap.mmap(self.file.fileno(), 4096)

    def set(self, name, value):
        at, kind = self.at[name]
        struct.pack_into('=' + kind, self.page, at, value)

    def get(self, name):
        at, kind = self.at[name]
        return struct.unpack_from('=' + kind, self.page, at)[0]

    def fail(self, file, operation, error, only=-1, bytes_from=0, bytes_to=0):
        """only: this many operations; bytes_to: only what touches these bytes of the file."""
        for name, value in (('only', only), ('from', bytes_from), ('to', bytes_to), ('error', error)):
            self.set(f'{file}.{operation}.{name}', value)

    def heal(self):
        for name in self.at:
            if name.endswith('.error') or name in ('map_full', 'write_most', 'delay_us', 'cold'):
                self.set(name, 0)

    def shut(self, after=None):
        """after: so many reads still come, and what is asked for ahead does not wait."""
        self.set('passes', after or 0)
        self.set('shut', 1 if after is None else 2)

    def open(self):
        self.set('shut', 0)

    def wait_waiting(self, count):
        """So many reads hang."""
        until(f'{count} reads that wait', lambda: self.get('waiting') >= count)
