"""tools/prepare_images.py."""
import io
import os
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

TOOL = 'tools/prepare_images.py'


def encoded(image, kind='PNG'):
    buffer = io.BytesIO()
    options = dict(subsampling=0) if kind == 'JPEG' else {}
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def picture(height, width):
    """Grey, with a red square in the middle and stripes at the ends."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    pixels[top:top + side, left:left + side] = (200, 40, 40)
    return Image.fromarray(pixels)


FILES = {
    'wide.png': encoded(picture(40, 90)),
    'sub/tall.jpg': encoded(picture(70, 36), 'JPEG'),
    'small.bmp': encoded(picture(10, 10), 'BMP'),
    'cut.png': encoded(picture(40, 40))[:60],
    'text.jpg': b'no image',
    'notes.txt': b'ignored',
}


@pytest.fixture
def folder(tmp_path):
    for name, data in FILES.items():
        path = tmp_path / 'source' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / 'source'


def make_zip(path, files):
    with zipfile.ZipFile(path, 'w') as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_tar(path, files):
    with tarfile.open(path, 'w:gz' if path.suffix == '.gz' else 'w') as file:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def prepare(run_tool, tmp_path):

    def run(source, *args, sizes=(16, 32)):
        out = tmp_path / 'out'
        run_tool(TOOL, source, out, '--sizes', *sizes, '--workers', 2, *args)
        return out

    return run


def names(folder):
    return sorted(
        str(x.relative_to(folder)) for x in folder.rglob('*') if x.is_file())


EXPECTED = ['small.png', 'sub/tall.png', 'wide.png']


def check(out):
    assert names(out / 'out_16') == names(out / 'out_32') == EXPECTED
    for size in (16, 32):
        for name in ('wide.png', 'sub/tall.png'):
            with Image.open(out / f'out_{size}' / name) as image:
                pixels = np.asarray(image).astype(int)
            assert pixels.shape == (size, size, 3)
            # The middle square alone, whole.
            assert np.abs(pixels - (200, 40, 40)).max() <= 16


def test_folder(prepare, folder, capsys):
    out = prepare(folder)
    check(out)
    text = capsys.readouterr().out
    assert '3 images were converted, 1 of them enlarged' in text
    left_out = (out / 'left_out.txt').read_text().splitlines()
    assert len(left_out) == 2
    assert left_out[0].startswith("cut.png: The image file 'cut.png'")
    assert "'text.jpg' is not an image file" in left_out[1]
    assert str(out / 'out_16') in text.splitlines()[-1]


@pytest.mark.parametrize('name', ['a.zip', 'a.tar', 'a.tar.gz'])
def test_archives(prepare, tmp_path, name):
    make = make_zip if name == 'a.zip' else make_tar
    check(prepare(make(tmp_path / name, FILES)))


def test_repeated(prepare, folder, capsys):
    out = prepare(folder)
    kept = out / 'out_16' / 'wide.png'
    kept.write_bytes(b'as it was')
    (out / 'out_32' / 'wide.png').unlink()
    (folder / 'cut.png').unlink()
    (folder / 'text.jpg').unlink()
    capsys.readouterr()
    prepare(folder)
    assert '1 images were converted, 0' in capsys.readouterr().out
    assert kept.read_bytes() == b'as it was'
    assert names(out / 'out_32') == EXPECTED
    assert not (out / 'left_out.txt').exists()


def test_resizing_is_antialiased(prepare, tmp_path):
    source = tmp_path / 'source'
    source.mkdir()
    board = np.indices((64, 64)).sum(0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save(source / 'board.png')
    out = prepare(source, sizes=[16])
    with Image.open(out / 'out_16/board.png') as image:
        assert np.abs(np.asarray(image).astype(int) - 127.5).max() < 4


def test_same_stems_and_chosen_folders(prepare, tmp_path):
    files = {
        f'a.{x.lower()}': encoded(picture(20, 20), x)
        for x in ('PNG', 'JPEG', 'BMP')
    }
    out = prepare(
        make_zip(tmp_path / 'a.zip', files), '--folders', 'one', 'images')
    assert names(out / 'one') == names(
        out / 'images') == ['a.bmp.png', 'a.jpeg.png', 'a.png']


@pytest.mark.parametrize('make', [make_zip, make_tar])
def test_archives_that_lead_out(prepare, tmp_path, make):
    good = encoded(picture(20, 20))
    absolute = tmp_path / 'absolute.png'
    out = prepare(
        make(
            tmp_path / 'archive', {
                '../outside.png': good,
                'a/../../../up.png': good,
                str(absolute): good,
                'C:\\drive.png': good,
                '..\\back.png': good,
                'good.png': good
            }))
    assert names(tmp_path) == [
        'archive', 'out/left_out.txt', 'out/out_16/good.png',
        'out/out_32/good.png'
    ]
    assert (out / 'left_out.txt').read_text().count('points outside') == 5


def test_links_in_archives_are_not_followed(prepare, tmp_path):
    secret = tmp_path / 'secret.png'
    secret.write_bytes(encoded(picture(20, 20)))
    path = make_tar(tmp_path / 'a.tar', {'good.png': secret.read_bytes()})
    with tarfile.open(path, 'a') as archive:
        link = tarfile.TarInfo('link.png')
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    assert names(prepare(path) / 'out_16') == ['good.png']


def test_bad_arguments(prepare, folder, tmp_path, capsys):
    text = tmp_path / 'text.txt'
    text.write_text('some text')
    empty = tmp_path / 'empty'
    empty.mkdir()
    cut = tmp_path / 'cut.zip'
    cut.write_bytes(make_zip(tmp_path / 'a.zip', FILES).read_bytes()[:-30])
    cut_tar = tmp_path / 'cut.tar.gz'
    cut_tar.write_bytes(
        make_tar(tmp_path / 'a.tar.gz', FILES).read_bytes()[:-200])
    broken = make_zip(tmp_path / 'broken.zip', {'a.png': b'no image'})
    for source, args, message in (
        (tmp_path / 'none', (), 'There is no .*none'),
        (text, (), 'neither a folder nor a zip or tar file'),
        (empty, (), 'There are no images in .*empty'),
        (cut, (), 'neither a folder nor|damaged'),
        (cut_tar, (), 'cut.tar.gz. is damaged'),
        (broken, (), 'No image could be read'),
        (folder, ('--folders', 'a'), 'for each of 2 sizes'),
        (folder, ('--folders', 'a', 'a'), 'for each of 2 sizes'),
        (tmp_path, (), 'Output folders must not be in the source'),
    ):
        with pytest.raises(SystemExit, match=message):
            prepare(source, *args)
    with pytest.raises(SystemExit):
        prepare(folder, '--workers', '0')
    assert '--workers: must be at least 1' in capsys.readouterr().err
    assert not [x for x in names(tmp_path / 'out') if x != 'left_out.txt']


def test_folder_that_cannot_be_written(prepare, folder, tmp_path):
    os.mkdir(tmp_path / 'out')
    (tmp_path / 'out' / 'out_16').write_text('a file is in the way')
    with pytest.raises(SystemExit, match='out_16'):
        prepare(folder)
