"""The conditions under which files of strangers are decoded, and one line for all that goes wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile, UnidentifiedImageError

from bench.errors import InputError
from bench.imports.files import shown


@contextmanager
def strict_decoding(name: str) -> Iterator[None]:
    """Decode in the block: files that are cut short are errors, whatever another library has set in Pillow.

    Args:
        name: Name of the file for messages.

    Raises:
        InputError: For every error of a library in the block, in one line.
    """
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which is not used
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name}: has far more pixels than are read") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: is not an image of a kind that is read") from error
    except Exception as error:  # libraries raise dozens of types of errors for broken files
        raise InputError(f"{name}: cannot be decoded ({type(error).__name__}: {shown(error):.120})") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
