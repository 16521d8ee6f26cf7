"""Makes the demo's site: pages, style sheets, scripts, pictures, a download. The same bytes and times at every run.
usage: site.py FOLDER"""
import os
import random
import struct
import sys
import zlib

TIME = 1_700_000_000                 # every file's Last-Modified: November 2023
WORDS = ('harbour tide crane rope lantern gull mast anchor quay fog cargo pilot ferry bell chart lock keel salt dock sail '
         'wind hull deck tug barge pier buoy net oar rudder').split()
ARTICLES, PICTURES, ARCHIVE = 80, 40, 20


def png(width, height, rng):
    """A small picture of coloured bands, written chunk by chunk."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    rows = b''
    for y in range(height):
        band = rng.randrange(256), rng.randrange(256), 120 + y % 100
        rows += b'\0' + b''.join(bytes((band[0], (band[1] + x) % 256, band[2])) for x in range(width))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(rows, 9)) + chunk(b'IEND', b''))


def prose(rng, words):
    return ' '.join(rng.choice(WORDS) for _ in range(words)).capitalize() + '.'


def page(title, body):
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
            '<link rel="stylesheet" href="/assets/site.3f2a.css"><script src="/assets/site.9c1b.js" defer></script></head>\n'
            f'<body><header><img src="/assets/logo.11aa.svg" alt="Harbour museum"></header>\n<h1>{title}</h1>\n{body}\n'
            '<footer><a href="/">Harbour museum</a> &middot; <a href="/account/">Your account</a></footer></body></html>\n')


def site(rng):
    """path -> bytes"""
    links = ''.join(f'<li><a href="/articles/{i}.html">Article {i}</a></li>' for i in range(ARTICLES))
    yield 'index.html', page('Harbour museum', f'<p>{prose(rng, 60)}</p><ul>{links}</ul>')
    yield 'about.html', page('About us', f'<p>{prose(rng, 200)}</p>')
    yield '404.html', page('Not here', '<p>The tide took it.</p>')
    yield 'robots.txt', 'User-agent: *\nDisallow: /account/\n'
    yield 'feed.xml', '<?xml version="1.0"?>\n<feed>' + ''.join(f'<entry><id>{i}</id><title>{prose(rng, 6)}</title></entry>' for i in range(30)) + '</feed>\n'
    for i in range(ARTICLES):
        paragraphs = ''.join(f'<p>{prose(rng, rng.randrange(40, 160))}</p>\n' for _ in range(rng.randrange(2, 9)))
        yield f'articles/{i}.html', page(f'Article {i}', f'<img src="/assets/picture-{i % 10}.7e.png" alt="">\n{paragraphs}')
    for i in range(ARCHIVE):
        yield f'archive/{1900 + i}.html', page(f'The year {1900 + i}', f'<p>{prose(rng, 300)}</p>')
    yield 'assets/site.3f2a.css', ''.join(f'.{w} {{ color: #{rng.randrange(1 << 24):06x}; margin: {i}px; }}\n' for i, w in enumerate(WORDS * 4))
    yield 'assets/site.9c1b.js', ''.join(f'function {w}{i}(x) {{ return x * {rng.randrange(1000)} + {i}; }}\n' for i, w in enumerate(WORDS * 6))
    yield 'assets/logo.11aa.svg', ('<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40">'
                                   + ''.join(f'<circle cx="{i * 10}" cy="20" r="{4 + i % 5}"/>' for i in range(12)) + '</svg>\n')
    for i in range(10):
        yield f'assets/picture-{i}.7e.png', png(96, 64, rng)
    for i in range(PICTURES):
        yield f'pictures/{i}.png', png(64 + 8 * (i % 8), 64, rng)
    yield 'files/catalogue.pdf', b'%PDF-1.4 not really\n' + rng.randbytes(300_000)


def main():
    folder = sys.argv[1]
    for path, data in site(random.Random(1883)):
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'wb') as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        os.utime(full, (TIME, TIME))


main()
